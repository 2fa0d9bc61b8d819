// What hooks see of accounts on their way into the database.
const source = (name) => `(e) => {
    const model = e.record || e.model;
    const seen = (at) => {
        const log = $app.store().get("log") || [];
        let matches = "-";
        try { matches = model.validatePassword("1234567890"); } catch (error) { matches = "!"; }
        log.push("${name}" + at + " key " + model.get("tokenKey").length + " changed " + (model.get("tokenKey") != model.original().get("tokenKey")) + " verified " + model.get("verified") + " visible " + model.get("emailVisibility")
            + " password " + String(model.get("password")).length + " matches " + matches + " name " + model.get("name") + " was " + model.original().get("name") + " file " + (typeof model.get("avatar")));
        $app.store().set("log", log);
    };
    seen("");
    if ("${name}" == "onRecordUpdate" && model.get("name") == "bad") throw new BadRequestError("no");
    e.next();
    seen(" after");
}`;
for (const name of ["onRecordCreateRequest", "onRecordCreate", "onRecordValidate", "onRecordCreateExecute", "onRecordAfterCreateSuccess", "onRecordAfterCreateError", "onRecordUpdateRequest", "onRecordUpdate", "onRecordUpdateExecute",
    "onRecordAfterUpdateSuccess", "onRecordAfterUpdateError", "onRecordDeleteRequest", "onRecordDelete", "onRecordDeleteExecute", "onRecordAfterDeleteSuccess"]) {
    globalThis[name](eval(source(name)), "users");
}
routerAdd("GET", "/log", (e) => {
    const log = $app.store().get("log") || [];
    $app.store().remove("log");
    return e.json(200, log);
});
routerAdd("POST", "/root", (e) => {
    const root = new Record($app.findCollectionByNameOrId("_superusers"));
    root.set("email", "root@example.com");
    root.set("password", "1234567890");
    $app.save(root);
    const id = root.id;
    return e.json(200, { token: root.newAuthToken() });
});
