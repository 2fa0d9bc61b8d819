//! The kinds of text: the second half of [`tree`](crate::tree).

use crate::{
    json, markup,
    rule::{
        Kind,
        Test::{Any, At, Code, Script, Xml},
    },
    script::{self, Interpreter, anywhere, word},
    table, text,
};

pub(crate) const TEXT: &[Kind] = &[
    Kind::new("image/svg+xml", ".svg", Code(markup::is_svg)),
    Kind::new("text/html", ".html", Code(markup::is_html)),
    Kind::new("text/xml", ".xml", Code(markup::is_xml)).also(&["application/xml"]).with(XML),
    Kind::new("text/x-php", ".php", Any(&[Code(script::is_php_page), Script(PHP)])),
    Kind::new("text/javascript", ".js", Script(NODE))
        .also(&["application/x-javascript", "application/javascript"]),
    Kind::new("text/x-lua", ".lua", Script(LUA)),
    Kind::new("text/x-perl", ".pl", Script(PERL)),
    Kind::new("text/x-python", ".py", Script(PYTHON))
        .also(&["text/x-script.python", "application/x-python"]),
    Kind::new("text/x-ruby", ".rb", Script(RUBY)).also(&["application/x-ruby"]),
    Kind::new("application/json", ".json", Code(json::is_json)).with(JSON),
    Kind::new("application/x-ndjson", ".ndjson", Code(json::is_lines)),
    Kind::new("text/rtf", ".rtf", At(0, &[b"{\\rtf"])).also(&["application/rtf"]),
    Kind::new("application/x-subrip", ".srt", Code(text::is_subtitles))
        .also(&["application/x-srt", "text/x-srt"]),
    Kind::new("text/x-tcl", ".tcl", Script(TCL)).also(&["application/x-tcl"]),
    Kind::new("text/csv", ".csv", Code(|head| table::is_table(head, b','))),
    Kind::new("text/tab-separated-values", ".tsv", Code(|head| table::is_table(head, b'\t'))),
    Kind::new("text/vcard", ".vcf", Code(text::is_card)),
    Kind::new("text/calendar", ".ics", Code(text::is_calendar)),
    Kind::new("application/warc", ".warc", At(0, &[b"WARC/1.0", b"WARC/1.1"])),
    Kind::new("text/vtt", ".vtt", Code(text::is_tracks)),
    Kind::new("text/x-shellscript", ".sh", Script(SHELLS)).also(&[
        "text/x-sh",
        "application/x-shellscript",
        "application/x-sh",
    ]),
    Kind::new("image/x-portable-bitmap", ".pbm", Code(|head| text::is_portable(head, b"14"))),
    Kind::new("image/x-portable-graymap", ".pgm", Code(|head| text::is_portable(head, b"25"))),
    Kind::new("image/x-portable-pixmap", ".ppm", Code(|head| text::is_portable(head, b"36"))),
    Kind::new("image/x-portable-arbitrarymap", ".pam", Code(text::is_arbitrary_map)),
    Kind::new("message/rfc822", ".eml", Code(text::is_mail)),
    Kind::new("text/vnd.familysearch.gedcom", ".ged", Code(text::is_genealogy)),
];

const XML: &[Kind] = &[
    Kind::new("application/rss+xml", ".rss", Xml(&[("<rss", "")])).also(&["text/rss"]),
    Kind::new(
        "application/atom+xml",
        ".atom",
        Xml(&[("<feed", r#"xmlns="http://www.w3.org/2005/Atom""#)]),
    ),
    Kind::new(
        "model/x3d+xml",
        ".x3d",
        Xml(&[("<X3D", r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema-instance""#)]),
    ),
    Kind::new(
        "application/vnd.google-earth.kml+xml",
        ".kml",
        Xml(&[
            ("<kml", r#"xmlns="http://www.opengis.net/kml/2.2""#),
            ("<kml", r#"xmlns="http://earth.google.com/kml/2.0""#),
            ("<kml", r#"xmlns="http://earth.google.com/kml/2.1""#),
            ("<kml", r#"xmlns="http://earth.google.com/kml/2.2""#),
        ]),
    ),
    Kind::new(
        "application/x-xliff+xml",
        ".xlf",
        Xml(&[("<xliff", r#"xmlns="urn:oasis:names:tc:xliff:document:1.2""#)]),
    ),
    Kind::new(
        "model/vnd.collada+xml",
        ".dae",
        Xml(&[("<COLLADA", r#"xmlns="http://www.collada.org/2005/11/COLLADASchema""#)]),
    ),
    Kind::new(
        "application/gml+xml",
        ".gml",
        Xml(&[
            ("", r#"xmlns:gml="http://www.opengis.net/gml""#),
            ("", r#"xmlns:gml="http://www.opengis.net/gml/3.2""#),
            ("", r#"xmlns:gml="http://www.opengis.net/gml/3.3/exr""#),
        ]),
    ),
    Kind::new(
        "application/gpx+xml",
        ".gpx",
        Xml(&[("<gpx", r#"xmlns="http://www.topografix.com/GPX/1/1""#)]),
    ),
    Kind::new(
        "application/vnd.garmin.tcx+xml",
        ".tcx",
        Xml(&[(
            "<TrainingCenterDatabase",
            r#"xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2""#,
        )]),
    ),
    Kind::new("application/x-amf", ".amf", Xml(&[("<amf", "")])),
    Kind::new(
        "application/vnd.ms-package.3dmanufacturing-3dmodel+xml",
        ".3mf",
        Xml(&[("<model", r#"xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02""#)]),
    ),
    Kind::new(
        "application/vnd.adobe.xfdf",
        ".xfdf",
        Xml(&[("<xfdf", r#"xmlns="http://ns.adobe.com/xfdf/""#)]),
    ),
    Kind::new(
        "application/owl+xml",
        ".owl",
        Xml(&[("<Ontology", r#"xmlns="http://www.w3.org/2002/07/owl#""#)]),
    ),
    Kind::new("application/xhtml+xml", ".html", Code(markup::is_xhtml)),
    Kind::new(
        "application/vnd.cyclonedx+xml",
        ".xml",
        Xml(&[("<bom", r#"xmlns="http://cyclonedx.org/schema/bom/"#)]),
    ),
];

const JSON: &[Kind] = &[
    Kind::new("application/geo+json", ".geojson", Code(json::is_geo)),
    Kind::new("application/json", ".har", Code(json::is_http_archive)),
    Kind::new("model/gltf+json", ".gltf", Code(json::is_gltf)),
    Kind::new("application/vnd.cyclonedx+json", ".json", Code(json::is_cyclonedx)),
];

const PHP: &[Interpreter] = &[
    anywhere("/usr/local/bin/php"),
    anywhere("/usr/bin/php"),
    anywhere("/usr/bin/env php"),
    anywhere("/usr/bin/env -S php"),
];
const NODE: &[Interpreter] = &[
    anywhere("/bin/node"),
    anywhere("/usr/bin/node"),
    anywhere("/usr/bin/env node"),
    anywhere("/usr/bin/env -S node"),
];
const LUA: &[Interpreter] = &[
    word("/usr/bin/lua"),
    word("/usr/local/bin/lua"),
    word("/usr/bin/env lua"),
    word("/usr/bin/env -S lua"),
];
const PERL: &[Interpreter] =
    &[word("/usr/bin/perl"), word("/usr/bin/env perl"), word("/usr/bin/env -S perl")];
const PYTHON: &[Interpreter] = &[
    anywhere("/usr/bin/python"),
    anywhere("/usr/local/bin/python"),
    anywhere("/usr/bin/env python"),
    anywhere("/usr/bin/env -S python"),
];
const RUBY: &[Interpreter] = &[
    anywhere("/usr/bin/ruby"),
    anywhere("/usr/local/bin/ruby"),
    anywhere("/usr/bin/env ruby"),
    anywhere("/usr/bin/env -S ruby"),
];
const TCL: &[Interpreter] = &[
    anywhere("/usr/bin/tcl"),
    anywhere("/usr/local/bin/tcl"),
    anywhere("/usr/bin/env tcl"),
    anywhere("/usr/bin/env -S tcl"),
    anywhere("/usr/bin/wish"),
    anywhere("/usr/local/bin/wish"),
    anywhere("/usr/bin/env wish"),
    anywhere("/usr/bin/env -S wish"),
];
const SHELLS: &[Interpreter] = &[
    word("/bin/sh"),
    word("/bin/bash"),
    word("/usr/local/bin/bash"),
    word("/usr/bin/env bash"),
    word("/usr/bin/env -S bash"),
    word("/bin/csh"),
    word("/usr/local/bin/csh"),
    word("/usr/bin/env csh"),
    word("/usr/bin/env -S csh"),
    word("/bin/dash"),
    word("/usr/local/bin/dash"),
    word("/usr/bin/env dash"),
    word("/usr/bin/env -S dash"),
    word("/bin/ksh"),
    word("/usr/local/bin/ksh"),
    word("/usr/bin/env ksh"),
    word("/usr/bin/env -S ksh"),
    word("/bin/tcsh"),
    word("/usr/local/bin/tcsh"),
    word("/usr/bin/env tcsh"),
    word("/usr/bin/env -S tcsh"),
    word("/bin/zsh"),
    word("/usr/local/bin/zsh"),
    word("/usr/bin/env zsh"),
    word("/usr/bin/env -S zsh"),
];
