/// <reference path="../pb_data/types.d.ts" />
const src = (name, extra) => `(e) => {
    const s = e.app.store(), key = "log", on = s.get("on")
    const what = () => { ${extra} }
    const put = (x) => { if (!s.get("on")) return; const l = s.get(key) || []; l.push(x); s.set(key, l) }
    let d = ""; try { d = what() } catch (err) { d = "ERR " + err }
    put("${name} " + d)
    const r = e.next()
    put("/${name}")
    return r
}`
const rec = "return [e.type ?? '', e.record ? e.record.collection().name : '', e.app.isTransactional(), e.tags ? e.tags().includes('items') : ''].join()"
const mod = "return [e.type ?? '', e.model.tableName(), e.app.isTransactional()].join()"
const col = "return [e.type ?? '', e.collection.name, e.app.isTransactional()].join()"
for (const k of ["Validate", "Create", "CreateExecute", "AfterCreateSuccess", "AfterCreateError", "Update", "UpdateExecute", "AfterUpdateSuccess", "AfterUpdateError", "Delete", "DeleteExecute", "AfterDeleteSuccess", "AfterDeleteError"]) {
    globalThis["onRecord" + k](src("record" + k, rec), "items", "audit")
    globalThis["onModel" + k](src("model" + k, mod), "items", "_collections")
    globalThis["onCollection" + k](src("collection" + k, col))
}
for (const k of ["List", "View", "Create", "Update", "Delete"]) {
    if (k != "List") globalThis["onRecord" + k + "Request"](src("record" + k + "Request", "return [e.collection.name, e.record.isNew(), e.auth === null, e.hasSuperuserAuth(), typeof e.requestInfo, e.request?.method ?? '-'].slice(0, 5).join()"))
    if (k != "List") globalThis["onCollection" + k + "Request"](src("collection" + k + "Request", "return [e.collection.name, e.auth?.collection().name].join()"))
}
onRecordsListRequest(src("recordsListRequest", "return [e.collection.name, e.records.length, e.result.page, e.result.perPage, e.result.totalItems, e.result.totalPages, e.result.items.length].join()"))
onCollectionsListRequest(src("collectionsListRequest", "return [e.collections.length > 5, e.result.page].join()"))
onRecordEnrich(src("enrich", "return [e.record.collection().name, e.requestInfo.context].join()"), "items")
onRecordAuthRequest(src("authRequest", "return [e.collection.name, e.record.email(), typeof e.token, e.authMethod, JSON.stringify(e.meta)].join()"))
onRecordAuthWithPasswordRequest(src("authPw", "return [e.collection.name, e.record?.email() ?? null, e.identity, e.identityField, e.password].join()"))
onRecordAuthRefreshRequest(src("authRefresh", "return [e.collection.name, e.record.email()].join()"))
onRecordRequestVerificationRequest(src("reqVerification", "return [e.collection.name, e.record?.email()].join()"))
onRecordRequestPasswordResetRequest(src("reqReset", "return [e.collection.name, e.record?.email()].join()"))
onRecordRequestOTPRequest(src("reqOTP", "return [e.collection.name, e.record?.email() ?? null, e.password.length].join()"))
onMailerSend(`(e) => { const s = e.app.store(); const l = s.get("log") || []; l.push("mailer " + [e.message.to[0].address, e.message.subject, e.message.from.address, e.message.html.length > 10].join()); s.set("log", l) }`)
onMailerRecordVerificationSend(src("mailVerification", "return [e.record.email(), typeof e.meta['token'], e.message.subject, e.tags().includes('users')].join()"))
onMailerRecordPasswordResetSend(src("mailReset", "return [e.record.email(), Object.keys(e.meta).sort().join('+')].join()"))
onMailerRecordOTPSend(src("mailOTP", "return [e.record.email(), Object.keys(e.meta).sort().join('+')].join()"))
onBatchRequest(src("batch", "return e.batch.map((b) => b.method + b.url).join()"))
onSettingsListRequest(src("settingsList", "return e.settings.meta.appName"))
onSettingsUpdateRequest(src("settingsUpdate", "return e.oldSettings.meta.appName + '>' + e.newSettings.meta.appName"))
onSettingsReload(src("settingsReload", "return e.app.settings().meta.appName"))
onFileTokenRequest(src("fileToken", "return [e.record.email(), typeof e.token].join()"))
onCollectionsImportRequest(src("import", "return [e.collectionsData.length, e.deleteMissing].join()"))
routerAdd("GET", "/on", (e) => { e.app.store().set("on", true); e.app.store().set("log", []); return e.json(200, 1) })
routerAdd("GET", "/log", (e) => { const l = e.app.store().get("log") || []; e.app.store().set("log", []); return e.json(200, l) })
routerAdd("GET", "/prog", (e) => {
    const r = new Record(e.app.findCollectionByNameOrId("items"), { name: "prog" }); e.app.save(r); r.set("n", 5); e.app.save(r); e.app.saveNoValidate(r); e.app.validate(r); e.app.delete(r)
    try { e.app.save(new Record(e.app.findCollectionByNameOrId("items"), { name: "bad", n: -5 })) } catch (_) { }
    try { e.app.save(new Record(e.app.findCollectionByNameOrId("items"), { name: "a" })) } catch (_) { }
    return e.json(200, 1)
})
