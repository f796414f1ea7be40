"""What a block's header proves without a node: its time, accounts and slots of a state."""
