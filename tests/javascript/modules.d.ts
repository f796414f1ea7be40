// Modules that build.py makes, of tables that the verifier has.
declare module "*/unicode.js" {
  export const IN_NO_ID: number[];
  export const IN_NO_NAME: number[];
  export const MARKS: number[];
}
declare module "*/units.js" {
  export const KNOWN_UNITS: [string, string, string, number, string][];
}
declare module "*/looks.js" {
  export const LOOKS: Record<string, string>;
  export const PAIRS: [string, string][];
}
