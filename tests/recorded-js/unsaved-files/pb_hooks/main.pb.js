// Files of records that are not stored yet.
routerAdd("GET", "/unsaved", (e) => {
    const plain = (text) => String(text).replace(/_[a-z0-9]{10}\b/g, "_x");
    const kind = (value) => Array.isArray(value) ? value.map(kind) : value === null ? "null" : typeof value == "object" ? "file " + value.originalName : typeof value + ":" + plain(value);
    const out = {};
    const seen = (at, doc) => {
        out[at] = ["one", "many"].map((key) => [kind(doc.get(key)), kind(doc.getRaw(key)), plain(doc.getString(key)), doc.getStringSlice(key).map(plain), doc.getUnsavedFiles(key).length]);
        out[at + " json"] = plain(JSON.stringify(doc));
    };
    const file = (name) => $filesystem.fileFromBytes("content of " + name, name);
    const doc = new Record($app.findCollectionByNameOrId("docs"));
    doc.id = "doc000000000001";
    seen("empty", doc);
    doc.set("one", file("file_a.txt"));
    doc.set("many", [file("file_b.txt"), file("file_c.txt")]);
    seen("set", doc);
    out.of = [doc.get("one").originalName, doc.get("one").size, doc.get("many")[1].originalName, plain(doc.get("one").name), doc.get("one") == doc.getUnsavedFiles("one")[0]];
    doc.set("many+", file("file_d.txt"));
    seen("added", doc);
    $app.save(doc);
    seen("saved", doc);
    doc.set("many-", doc.get("many")[0]);
    doc.set("many+", [file("file_e.txt")]);
    seen("changed", doc);
    doc.set("one", null);
    seen("cleared", doc);
    $app.save(doc);
    seen("saved again", doc);
    return e.json(200, out);
});
onRecordCreateRequest((e) => {
    const one = e.record.get("one");
    const many = e.record.get("many");
    $app.store().set("seen", [typeof one, one && one.originalName, many.length, many.map((item) => typeof item + (item.originalName || ""))]);
    e.next();
}, "docs");
onRecordUpdateRequest((e) => {
    $app.store().set("seen", e.record.get("many").map((item) => typeof item + (item.originalName || "")));
    e.next();
}, "docs");
routerAdd("GET", "/seen", (e) => e.json(200, $app.store().get("seen")));
