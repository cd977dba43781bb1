//! Back-tests: policies over a store of recorded runs.
