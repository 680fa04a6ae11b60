//! A command that sends a request with wasi:http, which no tool is given.

use wasip2::http::{
    outgoing_handler::handle,
    types::{Fields, OutgoingRequest, Scheme},
};

fn main() {
    let request = OutgoingRequest::new(Fields::new());
    let set = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some("127.0.0.1")));
    let sent = set.map(|()| handle(request, None));
    println!("{sent:?}");
}
