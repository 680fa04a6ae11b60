//! `misbehave` behind the typed world. Its answers are JSON strings.

#[cfg(target_family = "wasm")]
#[allow(
    unsafe_code,
    reason = "wit-bindgen's glue passes strings over the boundary"
)]
mod world {
    use misbehave::{Form, Order, perform};

    wit_bindgen::generate!({ world: "tool", path: "../../../examples/tools/wit" });

    struct Misbehave;

    impl Guest for Misbehave {
        fn run(input: String) -> Result<String, String> {
            let order = Order::read(&input)?;
            let text = perform(&order, Form::Typed)?;
            // A copy of this one would not fit: it is JSON already.
            if order.action == "flood" {
                return Ok(text);
            }
            serde_json::to_string(&text).map_err(|error| error.to_string())
        }
    }

    export!(Misbehave);
}
