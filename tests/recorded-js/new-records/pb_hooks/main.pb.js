// What hooks see of a record that is not stored yet.
const source = (name) => `(e) => {
    const model = e.record || e.model;
    const log = $app.store().get("log") || [];
    log.push("${name} id " + model.id.length + " code " + model.get("code").length + " created " + String(model.get("created")).length + " updated " + String(model.get("updated")).length + " new " + model.isNew());
    $app.store().set("log", log);
    if ("${name}" == "onModelCreate" && model.get("slug") == "") model.set("slug", model.id);
    if ("${name}" == "onRecordCreate" && model.get("title") == "clear") { model.set("id", ""); model.set("code", ""); }
    e.next();
    const more = $app.store().get("log");
    more.push("${name} after id " + model.id.length + " code " + model.get("code").length + " created " + String(model.get("created")).length + " new " + model.isNew());
    $app.store().set("log", more);
}`;
for (const name of ["onRecordCreateRequest", "onRecordCreate", "onModelCreate", "onRecordValidate", "onModelValidate", "onRecordCreateExecute", "onModelCreateExecute", "onRecordAfterCreateSuccess", "onRecordAfterCreateError",
    "onRecordUpdate", "onRecordUpdateExecute", "onRecordAfterUpdateSuccess"]) {
    globalThis[name](eval(source(name)), "posts");
}
routerAdd("GET", "/log", (e) => {
    const log = $app.store().get("log") || [];
    $app.store().remove("log");
    return e.json(200, log);
});
routerAdd("GET", "/save", (e) => {
    const post = new Record($app.findCollectionByNameOrId("posts"), { title: e.request.url.query().get("title") });
    const before = post.id.length;
    $app.save(post);
    post.set("title", "again");
    $app.save(post);
    return e.json(200, { before: before, after: post.id.length, slug: post.get("slug") == post.id });
});
routerAdd("GET", "/unvalidated", (e) => {
    const post = new Record($app.findCollectionByNameOrId("posts"));
    $app.saveNoValidate(post);
    return e.json(200, { id: post.id.length, code: post.get("code").length });
});
routerAdd("GET", "/validate", (e) => {
    const post = new Record($app.findCollectionByNameOrId("posts"));
    let told = "";
    try { $app.validate(post); } catch (error) { told = String(error); }
    return e.json(200, { id: post.id.length, code: post.get("code").length, told: told });
});
