//! Components that mean harm: none crashes the host, hangs it or takes what is not its own, and whoever comes next is
//! served as ever. What guests of the contract's languages do wrong has guests of its own.

mod answers;
mod damage;
mod leaks;
mod links;
mod sizes;
mod written;
