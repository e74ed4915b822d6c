"""Every word two Turnwire services share: ids, subjects, events, the fold, frames and queries."""
