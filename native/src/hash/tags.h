/*
 * Every tag and label that the core hashes with: the tables of spec/transcript.md, 1.1, 3 and 6, of
 * which a test holds that they are the same.  No other file of the core has one.
 */
#ifndef ASSAY_TAGS_H
#define ASSAY_TAGS_H

#define PROTOCOL "assay/v1"

#define TAG_ACCOUNT_KEY "assay/v1/account-key"
#define TAG_ARGUMENT_NONCE "assay/v1/argument-nonce"
#define TAG_ENTRIES_NONCE "assay/v1/entries-nonce"
#define TAG_GENERATOR "assay/v1/generator"
#define TAG_HIDDEN_NONCE "assay/v1/hidden-nonce"
#define TAG_IDENTITY "assay/v1/identity"
#define TAG_IDENTITY_NODE "assay/v1/identity-node"
#define TAG_LEAF "assay/v1/leaf"
#define TAG_LEAVES_NONCE "assay/v1/leaves-nonce"
#define TAG_OPENING_NONCE "assay/v1/opening-nonce"
#define TAG_SPLIT "assay/v1/split"
#define TAG_STREAM "assay/v1/stream"
#define TAG_TRANSCRIPT "assay/v1/transcript"
#define TAG_WITNESS "assay/v1/witness"

#define LABEL_ARGUMENT "argument"
#define LABEL_CONTEXT "context"
#define LABEL_ASSET "asset"
#define LABEL_STATEMENT "statement"
#define LABEL_SHAPE "shape"
#define LABEL_ENTRIES "entries"
#define LABEL_ROWS "rows"
#define LABEL_TAU "tau"
#define LABEL_SIGMA "sigma"
#define LABEL_KAPPA "kappa"
#define LABEL_OMEGA "omega"
#define LABEL_RHO "rho"
#define LABEL_ROUND "round"
#define LABEL_X "x"
#define LABEL_ANNOUNCEMENTS "announcements"
#define LABEL_E "e"
#define LABEL_OPENING "opening"
#define LABEL_ANNOUNCEMENT "announcement"
#define LABEL_C "c"

#endif
