"""The verification suite: one experiment a module, in every session mode and pool state, on both fake model tiers."""
