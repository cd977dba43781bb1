//! What `bindgen!` makes of `wit/`. Calls into a guest are async, so that a deadline can cut them; what the host offers
//! answers at once, and may trap.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "all",
    imports: { default: trappable },
    exports: { default: async },
});
