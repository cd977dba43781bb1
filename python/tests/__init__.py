"""The tests of the package. `cargo xtask test` runs them; by hand, here:

PLAYWARDEN=../target/release/playwarden python -m unittest
"""
