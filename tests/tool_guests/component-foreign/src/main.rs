//! A component that imports an interface which no host has.
#![allow(
    unsafe_code,
    reason = "wit-bindgen's glue passes strings over the boundary"
)]

wit_bindgen::generate!({
    inline: "
        package acme:stuff;
        interface thing { do-something: func(text: string) -> string; }
        world user { import thing; }
    ",
});

fn main() {
    println!("{}", acme::stuff::thing::do_something("text"));
}
