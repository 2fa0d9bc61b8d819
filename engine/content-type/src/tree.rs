//! Every kind of content that is told apart, in the order of the tests: the first that holds wins.
//!
//! The names, their order, signatures and other names are those of the reference's detector (the published list of
//! `mimetype` 1.4.15, MIT license); `samples.tsv` holds what the reference answers. Broad tests stand behind narrow ones.

use crate::{
    binary, compound, mp3,
    rule::{
        Kind,
        Test::{self, All, Any, At, Code, Over, Within},
    },
    text,
    texts::TEXT,
    zip,
};

pub(crate) static KINDS: &[Kind] = &[
    Kind::new("image/x-xpixmap", ".xpm", At(0, &[b"/* XPM */"])),
    Kind::new("application/x-7z-compressed", ".7z", At(0, &[b"7z\xBC\xAF\x27\x1C"])),
    Kind::new("application/zip", ".zip", Code(zip::is_zip))
        .also(&["application/x-zip", "application/x-zip-compressed"])
        .with(ZIPPED),
    Kind::new("application/pdf", ".pdf", Code(text::is_pdf)).also(&["application/x-pdf"]),
    Kind::new("application/vnd.fdf", ".fdf", At(0, &[b"%FDF"])),
    Kind::new("application/x-ole-storage", "", At(0, &[compound::MAGIC])).with(COMPOUND),
    Kind::new("application/postscript", ".ps", At(0, &[b"%!PS-Adobe-"])),
    Kind::new("image/vnd.adobe.photoshop", ".psd", At(0, &[b"8BPS"]))
        .also(&["image/x-psd", "application/photoshop"]),
    Kind::new("application/pkcs7-signature", ".p7s", Code(binary::is_pkcs7)),
    Kind::new("application/ogg", ".ogg", At(0, &[b"OggS\0"]))
        .also(&["application/x-ogg"])
        .with(OGG),
    Kind::new("image/png", ".png", At(0, &[b"\x89PNG\r\n\x1A\n"])).with(PNG),
    Kind::new("image/jpeg", ".jpg", At(0, &[b"\xFF\xD8\xFF"])),
    Kind::new("image/jxl", ".jxl", At(0, &[b"\xFF\x0A", b"\0\0\0\x0CJXL \r\n\x87\n"])),
    Kind::new("image/jp2", ".jp2", All(&[JPEG_2000, At(20, &[b"jp2 "])])),
    Kind::new("image/jpx", ".jpf", All(&[JPEG_2000, At(20, &[b"jpx "])])),
    Kind::new("image/jpm", ".jpm", All(&[JPEG_2000, At(20, &[b"jpm "])])).also(&["video/jpm"]),
    Kind::new("image/jxs", ".jxs", At(0, &[b"\0\0\0\x0CJXS \r\n\x87\n"])),
    Kind::new("image/gif", ".gif", At(0, &[b"GIF87a", b"GIF89a"])),
    Kind::new("image/webp", ".webp", All(&[Over(12), At(0, &[b"RIFF"]), At(8, &[b"WEBP"])])),
    Kind::new("application/vnd.microsoft.portable-executable", ".exe", At(0, &[b"MZ"])),
    Kind::new("application/x-elf", "", At(0, &[b"\x7FELF"])).with(ELF),
    Kind::new("application/x-archive", ".a", At(0, &[b"!<arch>"]))
        .also(&["application/x-unix-archive"])
        .with(&[DEBIAN]),
    Kind::new("application/x-tar", ".tar", Code(binary::is_tar)),
    Kind::new("application/x-xar", ".xar", At(0, &[b"xar!"])),
    Kind::new("application/x-bzip2", ".bz2", At(0, &[b"BZh"])),
    Kind::new("application/fits", ".fits", At(0, &[b"SIMPLE  =                    T"]))
        .also(&["image/fits"]),
    Kind::new("image/tiff", ".tiff", At(0, &[b"II*\0", b"MM\0*"])),
    Kind::new("image/bmp", ".bmp", All(&[At(0, &[b"BM"]), BITMAP_HEADERS]))
        .also(&["image/x-bmp", "image/x-ms-bmp"]),
    Kind::new("application/vnd.lotus-1-2-3", ".123", All(&[Over(20), Any(LOTUS)])),
    Kind::new("image/x-icon", ".ico", At(0, &[b"\0\0\x01\0", b"\0\0\x02\0"])),
    Kind::new("audio/flac", ".flac", At(0, &[b"fLaC\0\0\0\x22"])),
    Kind::new("audio/midi", ".midi", At(0, &[b"MThd"])).also(&[
        "audio/mid",
        "audio/sp-midi",
        "audio/x-mid",
        "audio/x-midi",
    ]),
    Kind::new("audio/ape", ".ape", At(0, &[b"MAC \x96\x0F\0\0\x34\0\0\0\x18\0\0\0\x90\xE3"])),
    Kind::new("audio/musepack", ".mpc", At(0, &[b"MPCK"])),
    Kind::new("audio/amr", ".amr", At(0, &[b"#!AMR"])).also(&["audio/amr-nb"]),
    Kind::new("audio/wav", ".wav", All(&[Over(12), At(0, &[b"RIFF"]), At(8, &[b"WAVE"])])).also(&[
        "audio/x-wav",
        "audio/vnd.wave",
        "audio/wave",
    ]),
    Kind::new("audio/aiff", ".aiff", All(&[Over(12), At(0, &[b"FORM"]), At(8, &[b"AIFF"])]))
        .also(&["audio/x-aiff"]),
    Kind::new("audio/basic", ".au", At(0, &[b".snd"])),
    Kind::new("video/mpeg", ".mpeg", All(&[At(0, &[b"\0\0\x01"]), Within(3, 0xB0, 0xBF)])),
    Kind::new("video/quicktime", ".mov", All(&[Over(11), Any(QUICKTIME)])),
    Kind::new("video/mp4", ".mp4", All(&[Over(11), At(0, &[b"\0"]), At(4, &[b"ftyp"])])).with(MP4),
    Kind::new("video/webm", ".webm", Code(binary::is_webm)).also(&["audio/webm"]),
    Kind::new(
        "video/x-msvideo",
        ".avi",
        All(&[Over(16), At(0, &[b"RIFF"]), At(8, &[b"AVI LIST"])]),
    )
    .also(&["video/avi", "video/msvideo"]),
    Kind::new("video/x-flv", ".flv", At(0, &[b"FLV\x01"])),
    Kind::new("video/matroska", ".mkv", Code(binary::is_matroska)).also(&["video/x-matroska"]),
    Kind::new(
        "video/x-ms-asf",
        ".asf",
        At(0, &[b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\x00\xAA\x00\x62\xCE\x6C"]),
    )
    .also(&["video/asf", "video/x-ms-wmv"]),
    Kind::new("audio/aac", ".aac", At(0, &[b"\xFF\xF1", b"\xFF\xF9"])),
    Kind::new("audio/x-unknown", ".voc", At(0, &[b"Creative Voice File"])),
    Kind::new("application/vnd.apple.mpegurl", ".m3u", At(0, &[b"#EXTM3U\n", b"#EXTM3U\r\n"]))
        .also(&["audio/mpegurl", "application/x-mpegurl"]),
    Kind::new("application/vnd.rn-realmedia-vbr", ".rmvb", At(0, &[b".RMF"])),
    Kind::new("application/gzip", ".gz", At(0, &[b"\x1F\x8B"])).also(&[
        "application/x-gzip",
        "application/x-gunzip",
        "application/gzipped",
        "application/gzip-compressed",
        "application/x-gzip-compressed",
        "gzip/document",
    ]),
    Kind::new("application/x-java-applet", ".class", All(&[CAFEBABE, Within(7, 31, 0xFF)])),
    Kind::new("application/x-shockwave-flash", ".swf", At(0, &[b"CWS", b"FWS", b"ZWS"])),
    Kind::new("application/x-chrome-extension", ".crx", Code(zip::is_extension)),
    Kind::new("font/ttf", ".ttf", All(&[At(0, &[b"\0\x01\0\0"]), At(12, FONT_TABLES)])).also(&[
        "font/sfnt",
        "application/x-font-ttf",
        "application/font-sfnt",
    ]),
    Kind::new("font/woff", ".woff", At(0, &[b"wOFF"])),
    Kind::new("font/woff2", ".woff2", At(0, &[b"wOF2"])),
    Kind::new("font/otf", ".otf", Code(binary::is_open_type)),
    Kind::new("font/collection", ".ttc", At(0, &[b"ttcf\0\x01\0\0", b"ttcf\0\x02\0\0"])),
    Kind::new("application/vnd.ms-fontobject", ".eot", All(&[At(34, &[b"LP"]), EMBEDDED])),
    Kind::new("application/wasm", ".wasm", At(0, &[b"\0asm"])),
    Kind::new("application/vnd.shx", ".shx", At(0, &[b"\0\0\x27\x0A"])).with(&[SHAPES]),
    Kind::new("application/x-dbf", ".dbf", Code(binary::is_dbase)),
    Kind::new("application/dicom", ".dcm", At(128, &[b"DICM"])),
    Kind::new("application/vnd.rar", ".rar", At(0, &[b"Rar!\x1A\x07\0", b"Rar!\x1A\x07\x01\0"]))
        .also(&["application/x-rar-compressed", "application/x-rar"]),
    Kind::new(
        "image/vnd.djvu",
        ".djvu",
        All(&[At(0, &[b"AT&TFORM"]), At(12, &[b"DJVM", b"DJVU", b"DJVI", b"THUM"])]),
    ),
    Kind::new("application/x-mobipocket-ebook", ".mobi", At(60, &[b"BOOKMOBI"])),
    Kind::new("application/x-ms-reader", ".lit", At(0, &[b"ITOLITLS"])),
    Kind::new("image/bpg", ".bpg", At(0, &[b"BPG\xFB"])),
    Kind::new("application/cbor", ".cbor", At(0, &[b"\xD9\xD9\xF7"])),
    Kind::new("application/vnd.sqlite3", ".sqlite", At(0, &[b"SQLite format 3\0"]))
        .also(&["application/x-sqlite3"]),
    Kind::new("image/vnd.dwg", ".dwg", At(0, DRAWINGS)).also(&[
        "image/x-dwg",
        "application/acad",
        "application/x-acad",
        "application/autocad_dwg",
        "application/dwg",
        "application/x-dwg",
        "application/x-autocad",
        "drawing/dwg",
    ]),
    Kind::new("application/vnd.nintendo.snes.rom", ".nes", At(0, &[b"NES\x1A"])),
    Kind::new("application/x-ms-shortcut", ".lnk", At(0, &[b"L\0\0\0\x01\x14\x02\0"])),
    Kind::new("application/x-mach-binary", ".macho", Any(MACH)),
    Kind::new("audio/qcelp", ".qcp", All(&[Over(12), At(0, &[b"RIFF"]), At(8, &[b"QLCM"])])),
    Kind::new("image/x-icns", ".icns", At(0, &[b"icns"])),
    Kind::new("image/vnd.radiance", ".hdr", At(0, &[b"#?RADIANCE\n"])),
    Kind::new("application/marc", ".mrc", Code(binary::is_marc)),
    Kind::new("application/x-msaccess", ".mdb", At(4, &[b"Standard Jet DB"])),
    Kind::new("application/x-msaccess", ".accdb", At(4, &[b"Standard ACE DB"])),
    Kind::new("application/zstd", ".zst", Any(ZSTD)),
    Kind::new("application/vnd.ms-cab-compressed", ".cab", At(0, &[b"MSCF\0\0\0\0"])),
    Kind::new("application/x-rpm", ".rpm", At(0, &[b"\xED\xAB\xEE\xDB", b"drpm"])),
    Kind::new("application/x-xz", ".xz", At(0, &[b"\xFD7zXZ\0"])),
    Kind::new("application/lzip", ".lz", At(0, &[b"LZIP"])).also(&["application/x-lzip"]),
    Kind::new("application/x-bittorrent", ".torrent", At(0, &[b"d8:announce"])),
    Kind::new("application/x-cpio", ".cpio", All(&[Over(5), At(0, CPIO)])),
    Kind::new("application/tzif", "", Code(binary::is_time_zone)),
    Kind::new("image/x-xcf", ".xcf", At(0, &[b"gimp xcf"])),
    Kind::new("image/x-gimp-pat", ".pat", At(20, &[b"GPAT"])),
    Kind::new("image/x-gimp-gbr", ".gbr", At(20, &[b"GIMP"])),
    Kind::new("model/gltf-binary", ".glb", At(0, &[b"glTF\x02\0\0\0", b"glTF\x01\0\0\0"])),
    Kind::new(
        "application/x-installshield",
        ".cab",
        All(&[At(0, &[b"ISc("]), At(6, &[b"\0\x01", b"\0\x02", b"\0\x04"])]),
    ),
    Kind::new("image/jxr", ".jxr", At(0, &[b"II\xBC\x01"])).also(&["image/vnd.ms-photo"]),
    Kind::new("application/vnd.apache.parquet", ".parquet", At(0, &[b"PAR1"]))
        .also(&["application/x-parquet"]),
    Kind::new(
        "application/onenote",
        ".one",
        At(0, &[b"\xE4\x52\x5C\x7B\x8C\xD8\xA7\x4D\xAE\xB1\x53\x78\xD0\x29\x96\xD3"]),
    ),
    Kind::new("application/vnd.ms-htmlhelp", ".chm", At(0, &[b"ITSF\x03\0\0\0\x60\0\0\0"])),
    Kind::new(
        "application/vnd.wordperfect",
        ".wpd",
        All(&[At(0, &[b"\xFFWPC"]), At(8, &[b"\x01\x0A"])]),
    ),
    Kind::new(
        "image/vnd.dxf",
        ".dxf",
        At(0, &[b"  0\nSECTION\n", b"  0\r\nSECTION\r\n", b"0\nSECTION\n", b"0\r\nSECTION\r\n"]),
    ),
    Kind::new("application/grib", ".grb", All(&[At(0, &[b"GRIB"]), Within(7, 1, 2)])),
    Kind::new("application/zlib", "", Code(binary::is_zlib)),
    Kind::new("application/x-os2-inf", ".inf", At(0, &[b"HSP\x01\x9B\0"])),
    Kind::new("application/x-os2-hlp", ".hlp", At(0, &[b"HSP\x10\x9B\0"])),
    Kind::new("application/vnd.framemaker", ".fm", Code(text::is_frame_maker)),
    Kind::new("application/bufr", ".bufr", All(&[At(0, &[b"BUFR"]), Within(7, 3, 4)])),
    Kind::new("application/x-bytecode.python", ".pyc", Code(binary::is_python_bytecode)),
    Kind::new("application/vnd.tcpdump.pcap", ".pcap", At(0, CAPTURES)),
    // looks for frames further on, so whatever may hold music stands before it
    Kind::new("audio/mpeg", ".mp3", Code(mp3::is_mp3)).also(&["audio/x-mpeg", "audio/mp3"]),
    Kind::new("text/plain", ".txt", Code(text::is_text)).with(TEXT),
];

const ZIPPED: &[Kind] = &[
    Kind::new(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ".docx",
        Code(|head| zip::is_office(head, b"word/")),
    ),
    Kind::new(
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ".pptx",
        Code(|head| zip::is_office(head, b"ppt/")),
    ),
    Kind::new(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ".xlsx",
        Code(|head| zip::is_office(head, b"xl/")),
    ),
    Kind::new("application/epub+zip", ".epub", At(30, &[b"mimetypeapplication/epub+zip"])),
    Kind::new("application/vnd.android.package-archive", ".apk", Code(zip::is_android)),
    Kind::new("application/java-archive", ".jar", Code(zip::is_java)).also(&[
        "application/jar",
        "application/jar-archive",
        "application/x-java-archive",
    ]),
    Kind::new(
        "application/vnd.oasis.opendocument.text",
        ".odt",
        At(30, &[b"mimetypeapplication/vnd.oasis.opendocument.text"]),
    )
    .also(&["application/x-vnd.oasis.opendocument.text"])
    .with(&[ODF_TEXT_TEMPLATE]),
    Kind::new(
        "application/vnd.oasis.opendocument.spreadsheet",
        ".ods",
        At(30, &[b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"]),
    )
    .also(&["application/x-vnd.oasis.opendocument.spreadsheet"])
    .with(&[ODF_SPREADSHEET_TEMPLATE]),
    Kind::new(
        "application/vnd.oasis.opendocument.presentation",
        ".odp",
        At(30, &[b"mimetypeapplication/vnd.oasis.opendocument.presentation"]),
    )
    .also(&["application/x-vnd.oasis.opendocument.presentation"])
    .with(&[ODF_PRESENTATION_TEMPLATE]),
    Kind::new(
        "application/vnd.oasis.opendocument.graphics",
        ".odg",
        At(30, &[b"mimetypeapplication/vnd.oasis.opendocument.graphics"]),
    )
    .also(&["application/x-vnd.oasis.opendocument.graphics"])
    .with(&[ODF_GRAPHICS_TEMPLATE]),
    Kind::new(
        "application/vnd.oasis.opendocument.formula",
        ".odf",
        At(30, &[b"mimetypeapplication/vnd.oasis.opendocument.formula"]),
    )
    .also(&["application/x-vnd.oasis.opendocument.formula"]),
    Kind::new(
        "application/vnd.oasis.opendocument.chart",
        ".odc",
        At(30, &[b"mimetypeapplication/vnd.oasis.opendocument.chart"]),
    )
    .also(&["application/x-vnd.oasis.opendocument.chart"]),
    Kind::new(
        "application/vnd.sun.xml.calc",
        ".sxc",
        At(30, &[b"mimetypeapplication/vnd.sun.xml.calc"]),
    ),
    Kind::new("application/vnd.google-earth.kmz", ".kmz", Code(zip::is_google_earth)),
    Kind::new(
        "application/vnd.ms-visio.drawing.main+xml",
        ".vsdx",
        Code(|head| zip::is_office(head, b"visio/")),
    ),
];

const ODF_TEXT_TEMPLATE: Kind =
    Kind::new("application/vnd.oasis.opendocument.text-template", ".ott", At(77, &[b"-template"]))
        .also(&["application/x-vnd.oasis.opendocument.text-template"]);
const ODF_SPREADSHEET_TEMPLATE: Kind = Kind::new(
    "application/vnd.oasis.opendocument.spreadsheet-template",
    ".ots",
    At(84, &[b"-template"]),
)
.also(&["application/x-vnd.oasis.opendocument.spreadsheet-template"]);
const ODF_PRESENTATION_TEMPLATE: Kind = Kind::new(
    "application/vnd.oasis.opendocument.presentation-template",
    ".otp",
    At(85, &[b"-template"]),
)
.also(&["application/x-vnd.oasis.opendocument.presentation-template"]);
const ODF_GRAPHICS_TEMPLATE: Kind = Kind::new(
    "application/vnd.oasis.opendocument.graphics-template",
    ".otg",
    At(81, &[b"-template"]),
)
.also(&["application/x-vnd.oasis.opendocument.graphics-template"]);

const COMPOUND: &[Kind] = &[
    Kind::new("application/x-ms-installer", ".msi", Code(compound::is_installer))
        .also(&["application/x-windows-installer", "application/x-msi"]),
    Kind::new("application/vnd.ms-outlook", ".msg", Code(compound::is_outlook)),
    Kind::new("application/vnd.ms-excel", ".xls", Code(compound::is_excel))
        .also(&["application/msexcel"]),
    Kind::new("application/vnd.ms-publisher", ".pub", Code(compound::is_publisher)),
    Kind::new("application/vnd.ms-powerpoint", ".ppt", Code(compound::is_powerpoint))
        .also(&["application/mspowerpoint"]),
    Kind::new("application/msword", ".doc", Code(compound::is_word))
        .also(&["application/vnd.ms-word"]),
];

const OGG: &[Kind] = &[
    Kind::new(
        "audio/ogg",
        ".oga",
        All(&[Over(36), At(28, &[b"\x7FFLAC", b"\x01vorbis", b"OpusHead", b"Speex   "])]),
    ),
    Kind::new(
        "video/ogg",
        ".ogv",
        All(&[Over(36), At(28, &[b"\x80theora", b"fishead\0", b"\x01video\0\0\0"])]),
    ),
];

const PNG: &[Kind] = &[Kind::new("image/apng", ".apng", Code(binary::is_animated_png))
    .also(&["image/vnd.mozilla.apng"])];

const ELF: &[Kind] = &[
    Kind::new("application/x-object", "", At(16, &[b"\x01\0", b"\0\x01"])),
    Kind::new("application/x-executable", "", At(16, &[b"\x02\0", b"\0\x02"])),
    Kind::new("application/x-sharedlib", ".so", At(16, &[b"\x03\0", b"\0\x03"])),
    Kind::new("application/x-coredump", "", At(16, &[b"\x04\0", b"\0\x04"])),
];

const DEBIAN: Kind =
    Kind::new("application/vnd.debian.binary-package", ".deb", At(8, &[b"debian-binary"]));

const SHAPES: Kind = Kind::new("application/vnd.shp", ".shp", Code(binary::is_shape));

/// By the brand of the first box.
const MP4: &[Kind] = &[
    Kind::new("image/avif", ".avif", At(8, &[b"avif", b"avis"])),
    Kind::new(
        "video/3gpp",
        ".3gp",
        At(
            8,
            &[
                b"3gp1", b"3gp2", b"3gp3", b"3gp4", b"3gp5", b"3gp6", b"3gp7", b"3gs7", b"3ge6",
                b"3ge7", b"3gg6",
            ],
        ),
    )
    .also(&["video/3gp", "audio/3gpp"]),
    Kind::new(
        "video/3gpp2",
        ".3g2",
        At(8, &[b"3g24", b"3g25", b"3g26", b"3g2a", b"3g2b", b"3g2c", b"KDDI"]),
    )
    .also(&["video/3g2", "audio/3gpp2"]),
    Kind::new("audio/mp4", ".mp4", At(8, &[b"F4A ", b"F4B ", b"M4B ", b"M4P ", b"MSNV", b"NDAS"]))
        .also(&["audio/x-mp4a"]),
    Kind::new("video/quicktime", ".mqv", At(8, &[b"mqt "])),
    Kind::new("audio/x-m4a", ".m4a", At(8, &[b"M4A "])),
    Kind::new("video/x-m4v", ".m4v", At(8, &[b"M4V ", b"M4VH", b"M4VP"])),
    Kind::new("image/heic", ".heic", At(8, &[b"heic", b"heix"])),
    Kind::new("image/heic-sequence", ".heic", At(8, &[b"hevc", b"hevx"])),
    Kind::new("image/heif", ".heif", At(8, &[b"mif1", b"heim", b"heis", b"avic"])),
    Kind::new("image/heif-sequence", ".heif", At(8, &[b"msf1", b"hevm", b"hevs", b"avcs"])),
    Kind::new("video/mj2", ".mj2", At(8, &[b"mj2s", b"mjp2", b"MFSM", b"MGSV"])),
    Kind::new(
        "video/vnd.dvb.file",
        ".dvb",
        At(
            8,
            &[
                b"dby1", b"dsms", b"dts1", b"dts2", b"dts3", b"dxo ", b"dmb1", b"dmpf", b"drc1",
                b"dv1a", b"dv1b", b"dv2a", b"dv2b", b"dv3a", b"dv3b", b"dvr1", b"dvt1", b"emsg",
            ],
        ),
    ),
];

const JPEG_2000: Test = All(&[Over(23), At(4, &[b"jP  ", b"jP2 "])]);
const CAFEBABE: Test = At(0, &[b"\xCA\xFE\xBA\xBE"]);
/// Lengths of the second header.
const BITMAP_HEADERS: Test = At(
    14,
    &[
        b"\x30\0\0\0",
        b"\x18\0\0\0",
        b"\x10\0\0\0",
        b"\x40\0\0\0",
        b"\x34\0\0\0",
        b"\x38\0\0\0",
        b"\x28\0\0\0",
        b"\x7C\0\0\0",
        b"\x6C\0\0\0",
    ],
);
/// Versions.
const EMBEDDED: Test = At(8, &[b"\x02\0\x01", b"\x01\0\0", b"\x02\0\x02"]);
const LOTUS: &[Test] = &[
    All(&[At(0, &[b"\0\0\x02\0"]), Within(6, 1, 0xFF), At(7, &[b"\0"])]),
    All(&[At(0, &[b"\0\0\x1A\0"]), Within(20, 1, 31)]),
];
const QUICKTIME: &[Test] = &[
    All(&[At(0, &[b"\0"]), At(4, &[b"ftypqt  ", b"ftypmoov"])]),
    At(4, &[b"moov\0", b"mdat\0", b"free\0", b"skip\0", b"pnot\0"]),
    At(0, &[b"\0\0\0\x08wide"]),
];
const MACH: &[Test] = &[
    All(&[CAFEBABE, Within(7, 0, 0x13)]),
    At(0, &[b"\xFE\xED\xFA\xCE", b"\xCE\xFA\xED\xFE", b"\xFE\xED\xFA\xCF", b"\xCF\xFA\xED\xFE"]),
];
const ZSTD: &[Test] = &[
    All(&[Within(0, 0x22, 0x28), At(1, &[b"\xB5\x2F\xFD"])]),
    All(&[Within(0, 0x50, 0x5F), At(1, &[b"\x2A\x4D\x18"])]),
];
const CPIO: &[&[u8]] = &[b"\xC7\x71", b"070707", b"070701", b"070702"];
const CAPTURES: &[&[u8]] =
    &[b"\xA1\xB2\xC3\xD4", b"\xA1\xB2\x3C\x4D", b"\xD4\xC3\xB2\xA1", b"\x4D\x3C\xB2\xA1"];
const DRAWINGS: &[&[u8]] = &[
    b"AC1.40", b"AC1.50", b"AC2.10", b"AC1002", b"AC1003", b"AC1004", b"AC1006", b"AC1009",
    b"AC1012", b"AC1014", b"AC1015", b"AC1018", b"AC1021", b"AC1024", b"AC1032",
];
/// Names that the first table of a TrueType font may have.
const FONT_TABLES: &[&[u8]] = &[
    b"acnt", b"ankr", b"avar", b"bdat", b"bhed", b"bloc", b"bsln", b"cmap", b"cvar", b"cvt ",
    b"EBSC", b"fdsc", b"feat", b"fmtx", b"fond", b"fpgm", b"fvar", b"gasp", b"gcid", b"glyf",
    b"gvar", b"hdmx", b"head", b"hhea", b"hmtx", b"hvgl", b"hvpm", b"just", b"kern", b"kerx",
    b"lcar", b"loca", b"ltag", b"maxp", b"meta", b"mort", b"morx", b"name", b"opbd", b"OS/2",
    b"GSUB", b"GPOS", b"BASE", b"JSTF", b"GDEF", b"MATH", b"CBDT", b"CBLC", b"CFF ", b"CFF2",
    b"COLR", b"CPAL", b"DSIG", b"EBDT", b"EBLC", b"HVAR", b"LTSH", b"MERG", b"MVAR", b"PCLT",
    b"post", b"prep", b"sbix", b"STAT", b"SVG ", b"VDMX", b"vhea", b"vmtx", b"VORG", b"VVAR",
];
