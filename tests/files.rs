//! Files over HTTP, kept in the directory and in a real bucket: the same story told twice, then what goes wrong.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, Server, encode, eventually, multipart, s3::Bucket};

const DOCS: &str = "/api/collections/docs/records";
/// Larger than what is sent to a bucket in one request.
const LARGE: usize = 20 << 20;

/// Red above, green in the middle, blue below.
fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |_, y| match y * 3 / height {
        0 => image::Rgb([255, 0, 0]),
        1 => image::Rgb([0, 255, 0]),
        _ => image::Rgb([0, 0, 255]),
    });
    let mut out = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut out, format).expect("a picture");
    out.into_inner()
}

/// A JPEG whose camera was held upright: its EXIF block asks for a turn by 90 degrees.
fn turned(width: u32, height: u32) -> Vec<u8> {
    let plain = picture(width, height, ImageFormat::Jpeg);
    let mut exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0".to_vec();
    exif.extend_from_slice(b"\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0");
    [&plain[..2], &exif, &plain[2..]].concat()
}

/// What an answer holds, as `300x200 png`.
fn shape(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let format = image::guess_format(&answer.body).expect("a picture");
    let picture = image::load_from_memory(&answer.body).expect("a whole picture");
    let name = format.extensions_str()[0];
    assert_eq!(answer.header("content-type"), Some(format.to_mime_type()));
    format!("{}x{} {name}", picture.width(), picture.height())
}

/// A server with a collection of files.
struct House {
    server: Server,
    root: String,
}

impl House {
    fn new(bucket: Option<&Bucket>) -> Self {
        let server = Server::fresh(&[]);
        let root = server.superuser();
        let house = Self { server, root };
        if let Some(bucket) = bucket {
            house.set(&json!({"s3": bucket.settings()}));
        }
        let file = |name: &str, more: Value| {
            let mut field =
                json!({"name": name, "type": "file", "maxSelect": 9, "maxSize": 64 << 20});
            for (key, value) in more.as_object().expect("an object") {
                field[key] = value.clone();
            }
            field
        };
        let sizes = ["70x50", "70x50t", "70x50b", "70x50f", "0x50", "70x0"];
        let body = json!({"name": "docs", "type": "base", "createRule": "", "updateRule": "",
            "deleteRule": "", "listRule": "", "viewRule": "@request.auth.id != ''",
            "fields": [file("open", json!({"thumbs": sizes})), file("closed", json!({"protected": true}))]});
        let made = house.server.send("POST", "/api/collections", &house.root, &body);
        assert_eq!(made.status, 200, "{}", made.json());
        house
    }

    fn set(&self, settings: &Value) {
        let answer = self.server.send("PATCH", "/api/settings", &self.root, settings);
        assert_eq!(answer.status, 200, "{}", answer.json());
    }

    fn upload(&self, method: &str, path: &str, field: &str, name: &str, content: &[u8]) -> Answer {
        let (kind, body) = multipart(&[], (field, name, content));
        let mut client = Client::connect(self.server.port).expect("connect");
        client.send(method, path, "", &kind, &body).expect("an answer")
    }

    /// A record with one file: its id and the stored name.
    fn doc(&self, field: &str, name: &str, content: &[u8]) -> (String, String) {
        let answer = self.upload("POST", DOCS, field, name, content);
        assert_eq!(answer.status, 200, "{}", answer.json());
        let made = answer.json();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&made["id"]), text(&made[field][0]))
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut client = Client::connect(self.server.port).expect("connect");
        client.get(path, headers).expect("an answer")
    }

    fn file(&self, (id, name): &(String, String), query: &str) -> Answer {
        self.get(&format!("/api/files/docs/{id}/{name}{query}"), &[])
    }
}

/// What everybody sees, wherever the files are kept.
fn the_story(house: &House) {
    // as it went in
    let source = picture(300, 200, ImageFormat::Png);
    let png = house.doc("open", "My Picture.png", &source);
    assert!(png.1.starts_with("my_picture_") && png.1.ends_with(".png"), "{}", png.1);
    let whole = house.file(&png, "");
    assert_eq!((whole.status, whole.body == source), (200, true));
    assert_eq!(whole.header("content-type"), Some("image/png"));
    let name = format!("inline; filename=\"{}\"", png.1);
    assert_eq!(whole.header("content-disposition"), Some(name.as_str()));
    let name = format!("attachment; filename=\"{}\"", png.1);
    assert_eq!(house.file(&png, "?download=1").header("content-disposition"), Some(name.as_str()));

    // in parts
    let path = format!("/api/files/docs/{}/{}", png.0, png.1);
    let part = house.get(&path, &[("Range", "bytes=10-19")]);
    assert_eq!((part.status, &part.body[..]), (206, &source[10..20]));
    let range = format!("bytes 10-19/{}", source.len());
    assert_eq!(part.header("content-range"), Some(range.as_str()));
    let parts = house.get(&path, &[("Range", "bytes=0-0,-1")]);
    assert_eq!(parts.status, 206);
    assert!(parts.header("content-type").is_some_and(|t| t.starts_with("multipart/byteranges")));
    assert_eq!(house.get(&path, &[("Range", "bytes=9999999-")]).status, 416);
    let since = whole.header("last-modified").expect("a date").to_owned();
    assert_eq!(house.get(&path, &[("If-Modified-Since", &since)]).status, 304);

    // thumbnails of every form, and the original where there is none
    for (size, want) in [
        ("100x100", "100x100 png"),
        ("70x50", "70x50 png"),
        ("70x50t", "70x50 png"),
        ("70x50b", "70x50 png"),
        ("70x50f", "70x46 png"),
        ("0x50", "75x50 png"),
        ("70x0", "70x47 png"),
        ("71x50", "300x200 png"),
        ("0x0", "300x200 png"),
        ("nonsense", "300x200 png"),
    ] {
        assert_eq!(shape(&house.file(&png, &format!("?thumb={size}"))), want, "{size}");
    }
    let jpeg = house.doc("open", "a.jpg", &turned(300, 200));
    assert_eq!(shape(&house.file(&jpeg, "?thumb=0x50")), "33x50 jpg", "upright");
    let gif = house.doc("open", "a.gif", &picture(300, 200, ImageFormat::Gif));
    assert_eq!(shape(&house.file(&gif, "?thumb=70x0")), "70x47 gif");
    let webp = house.doc("open", "a.webp", &picture(300, 200, ImageFormat::WebP));
    assert_eq!(shape(&house.file(&webp, "?thumb=70x0")), "70x47 png");
    let path = format!("/api/files/docs/{}/{}?thumb=70x0", webp.0, webp.1);
    let accepted = house.get(&path, &[("Accept", "image/webp,*/*")]);
    assert_eq!(shape(&accepted), "70x47 webp");
    assert_eq!(
        shape(&house.file(&webp, "?thumb=70x0")),
        "70x47 png",
        "one does not hide the other"
    );
    let text = house.doc("open", "page.html", b"<script>alert(1)</script>");
    let answer = house.file(&text, "?thumb=70x0");
    assert_eq!(answer.body, b"<script>alert(1)</script>");
    assert!(answer.header("content-disposition").is_some_and(|d| d.starts_with("attachment")));
    assert!(answer.header("content-security-policy").is_some_and(|p| p.contains("sandbox")));

    // large ones, in several parts on their way
    let content: Vec<u8> = (0..LARGE).map(|i| (i * 31 / 7) as u8).collect();
    let large = house.doc("open", "large.bin", &content);
    assert!(house.file(&large, "").body == content, "the same bytes");
    let path = format!("/api/files/docs/{}/{}", large.0, large.1);
    let end = house.get(&path, &[("Range", "bytes=-100")]);
    assert_eq!((end.status, &end.body[..]), (206, &content[LARGE - 100..]));

    // protected ones, for holders of a token that the rule lets pass
    let closed = house.doc("closed", "c.txt", b"secret");
    let user = json!({"email": "u@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD});
    let server = &house.server;
    assert_eq!(
        server.send("POST", "/api/collections/users/records", &house.root, &user).status,
        200
    );
    let login = json!({"identity": "u@example.com", "password": PASSWORD});
    let login = server.send("POST", "/api/collections/users/auth-with-password", "", &login).json();
    let session = login["token"].as_str().expect("a token");
    let token = server.send("POST", "/api/files/token", session, &Value::Null).json();
    let token = token["token"].as_str().expect("a token");
    assert_eq!(server.send("POST", "/api/files/token", "", &Value::Null).status, 401);
    for (query, status) in [
        (String::new(), 404),
        (format!("?token={token}"), 200),
        (format!("?token={session}"), 404),
        (format!("?token={}", &token[..token.len() - 1]), 404),
    ] {
        assert_eq!(house.file(&closed, &query).status, status, "{query}");
    }
    let path = format!("/api/files/docs/{}/{}", closed.0, closed.1);
    assert_eq!(server.send("GET", &path, session, &Value::Null).status, 404, "only file tokens");

    // nothing else can be reached
    for name in ["..", "../../../data.db", "thumbs_x", "", "a\0b", ".attrs", "..\\data.db", &jpeg.1]
    {
        let path = format!("/api/files/docs/{}/{}", png.0, encode(name));
        assert_ne!(house.get(&path, &[]).status, 200, "{name:?}");
    }
    let attrs = format!("/api/files/docs/{}/{}.attrs", png.0, png.1);
    assert_eq!(house.get(&attrs, &[]).status, 404);
}

fn records_take_their_files_along(house: &House, n_files: &dyn Fn(&str) -> usize) {
    let (id, name) = house.doc("open", "a.png", &picture(300, 200, ImageFormat::Png));
    let path = format!("{DOCS}/{id}");
    assert_eq!(house.upload("PATCH", &path, "open+", "b.txt", b"two").status, 200);
    assert_eq!(shape(&house.file(&(id.clone(), name.clone()), "?thumb=70x0")), "70x47 png");
    assert_eq!(n_files(&id), 3, "two files and a thumbnail");
    // a refused update leaves nothing behind
    let (kind, body) = multipart(&[("open-", "x"), ("id", "other")], ("open+", "c.txt", b"no"));
    let mut client = Client::connect(house.server.port).expect("connect");
    assert_eq!(client.send("PATCH", &path, "", &kind, &body).expect("an answer").status, 400);
    eventually("no file of a refused update", || Some(()).filter(|()| n_files(&id) == 3));
    let gone = house.server.send("PATCH", &path, "", &json!({"open-": name}));
    assert_eq!(gone.status, 200);
    eventually("the file and its thumbnail are gone", || Some(()).filter(|()| n_files(&id) == 1));
    assert_eq!(house.file(&(id.clone(), name), "").status, 404);
    assert_eq!(house.server.send("DELETE", &path, "", &Value::Null).status, 204);
    eventually("nothing is left", || Some(()).filter(|()| n_files(&id) == 0));
}

fn files_below(dir: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let mut n = 0;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            n += files_below(&path);
        } else if path.extension().is_none_or(|extension| extension != "attrs") {
            n += 1;
        }
    }
    n
}

#[test]
fn files_in_the_directory() {
    let house = House::new(None);
    the_story(&house);
    let collection =
        house.server.send("GET", "/api/collections/docs", &house.root, &Value::Null).json();
    let dir =
        house.server.data_dir().join("storage").join(collection["id"].as_str().expect("an id"));
    records_take_their_files_along(&house, &|id| files_below(&dir.join(id)));
}

#[test]
fn files_in_a_bucket() {
    let bucket = Bucket::start();
    let house = House::new(Some(&bucket));
    the_story(&house);
    let storage = house.server.data_dir().join("storage");
    assert_eq!(files_below(&storage), 0, "nothing is kept here");
    let below = |id: &str| bucket.keys().iter().filter(|key| key.contains(id)).count();
    records_take_their_files_along(&house, &below);
}

#[test]
fn buckets_are_tried() {
    let bucket = Bucket::start();
    let house = House::new(None);
    let test = |which: &str| {
        let body = json!({"filesystem": which});
        house.server.send("POST", "/api/settings/test/s3", &house.root, &body)
    };
    assert_eq!(test("storage").status, 400, "not enabled");
    house.set(&json!({"s3": bucket.settings(), "backups": {"s3": bucket.settings()}}));
    assert_eq!((test("storage").status, test("backups").status), (204, 204));
    assert!(bucket.keys().iter().all(|key| !key.contains("pb_settings_test")), "tidied up");
    let blank = test("");
    assert_eq!(blank.status, 400, "{blank:?}");
    assert_eq!(blank.json()["data"]["filesystem"]["code"], "validation_required");
    assert_eq!(test("x").json()["data"]["filesystem"]["code"], "validation_in_invalid");
    for wrong in [
        json!({"secret": "another secret"}),
        json!({"accessKey": "another key"}),
        json!({"endpoint": "http://127.0.0.1:1"}),
    ] {
        let mut settings = bucket.settings();
        for (key, value) in wrong.as_object().expect("an object") {
            settings[key] = value.clone();
        }
        house.set(&json!({ "s3": settings }));
        let answer = test("storage");
        let text = answer.json()["message"].as_str().expect("a message").to_owned();
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(text.starts_with("Failed to test the S3 filesystem. Raw error: \n"), "{text}");
        assert!(!text.contains("another secret"), "{text}");
    }
}

#[test]
fn backups_in_a_bucket() {
    let bucket = Bucket::start();
    let house = House::new(None);
    house.set(&json!({"backups": {"s3": bucket.settings()}}));
    let server = &house.server;
    let kept = house.doc("open", "kept.txt", b"kept");
    let name = json!({"name": "one.zip"});
    assert_eq!(server.send("POST", "/api/backups", &house.root, &name).status, 204);
    assert!(bucket.keys().contains(&"one.zip".to_owned()), "{:?}", bucket.keys());
    let list = server.send("GET", "/api/backups", &house.root, &Value::Null).json();
    assert_eq!((list.as_array().map(Vec::len), &list[0]["key"]), (Some(1), &json!("one.zip")));
    let token = server.send("POST", "/api/files/token", &house.root, &Value::Null).json();
    let token = token["token"].as_str().expect("a token");
    let zip = house.get(&format!("/api/backups/one.zip?token={token}"), &[]);
    assert!(zip.status == 200 && zip.body.starts_with(b"PK\x03\x04"));
    assert_eq!(Some(zip.body.len() as u64), list[0]["size"].as_u64());

    let later = house.doc("open", "later.txt", b"later");
    let restore = server.send("POST", "/api/backups/one.zip/restore", &house.root, &Value::Null);
    assert_eq!(restore.status, 204);
    eventually("the state of the backup", || {
        let mut client = Client::connect(server.port).ok()?;
        let page = client.get(DOCS, &[]).ok().filter(|answer| answer.status == 200)?.json();
        Some(()).filter(|()| page["totalItems"] == 1)
    });
    assert_eq!(house.file(&kept, "").body, b"kept");
    assert_eq!(house.file(&later, "").status, 404);
    assert_eq!(
        server.send("DELETE", "/api/backups/one.zip", &house.root, &Value::Null).status,
        204
    );
    assert!(!bucket.keys().contains(&"one.zip".to_owned()), "{:?}", bucket.keys());
}

/// A bucket that hangs costs those who need it their request, and nobody else anything.
#[test]
fn a_bucket_that_hangs() {
    let bucket = Bucket::start();
    let house = House::new(Some(&bucket));
    let before = house.doc("open", "a.txt", b"before");
    bucket.hang(true);
    let (n, port) = (bucket.n_requests(), house.server.port);
    let waiting: Vec<_> = (0..8)
        .map(|i| {
            let mut client = Client::connect(port).expect("connect");
            let path = format!("/api/files/docs/{}/{}", before.0, before.1);
            std::thread::spawn(move || {
                let (kind, body) = multipart(&[], ("open", "b.txt", b"hangs"));
                let answer = if i % 2 == 0 {
                    client.send("POST", DOCS, "", &kind, &body)
                } else {
                    client.get(&path, &[])
                };
                assert_ne!(answer.map_or(0, |answer| answer.status), 200);
            })
        })
        .collect();
    eventually("all hang", || Some(()).filter(|()| bucket.n_requests() >= n + 8));
    for _ in 0..20 {
        assert_eq!(house.server.send("POST", DOCS, "", &json!({})).status, 200);
        assert!(house.get(DOCS, &[]).json()["totalItems"].is_i64());
    }
    assert!(waiting.iter().all(|thread| !thread.is_finished()), "nobody waited for the bucket");
    bucket.hang(false);
    house.doc("open", "c.txt", b"after");
    drop(house);
    waiting.into_iter().for_each(|thread| thread.join().expect("no answer, or a refusal"));
}

#[test]
fn pictures_that_lie() {
    let house = House::new(None);
    let mut huge = picture(10, 10, ImageFormat::Png);
    // 30,000 × 30,000 in the head, with the checksum that goes with it
    huge[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let sum = crc32(&huge[12..29]).to_be_bytes();
    huge[29..33].copy_from_slice(&sum);
    let truncated = picture(500, 500, ImageFormat::Jpeg)[..400].to_vec();
    for (name, content) in [("huge.png", huge), ("cut.jpg", truncated)] {
        let doc = house.doc("open", name, &content);
        let answer = house.file(&doc, "?thumb=70x50");
        assert!(answer.status == 200 && answer.body == content, "the original: {name}");
    }
    let filter = "/api/logs?filter=message~'No%20thumbnail'";
    eventually("the reason is logged", || {
        let page = house.server.send("GET", filter, &house.root, &Value::Null).json();
        Some(()).filter(|()| page["totalItems"] == 2)
    });
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
