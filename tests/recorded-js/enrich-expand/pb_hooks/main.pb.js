/// <reference path="../pb_data/types.d.ts" />
onRecordEnrich((e) => {
    const info = e.requestInfo
    if (info.query["hide"]) e.record.hide("title", "n")
    if (info.query["unhide"]) e.record.unhide("secret")
    if (info.query["custom"]) { e.record.withCustomData(true); e.record.set("computed", e.record.get("n") * 10); e.record.set("who", info.auth?.id ?? null); e.record.set("ctx", info.context); e.record.set("nested", { a: [1, { b: null }] }) }
    if (info.query["customoff"]) { e.record.set("computed", 1) }
    if (info.query["failenrich"] && e.record.id.endsWith("2")) throw new BadRequestError("enrich failed")
    if (info.query["skip"]) return
    if (info.query["addexpand"]) e.app.expandRecord(e.record, ["author"], null)
    return e.next()
}, "posts")
onRecordEnrich((e) => {
    if (e.requestInfo.query["seeemail"]) e.record.ignoreEmailVisibility(true)
    if (e.requestInfo.query["ctxuser"]) { e.record.withCustomData(true); e.record.set("ctx", e.requestInfo.context) }
    return e.next()
}, "users")
onRecordEnrich((e) => { if (e.requestInfo.query["tagsecret"]) e.record.unhide("secret"); return e.next() }, "tags")

const sum = `(r) => ({ id: r.id, keys: Object.keys(JSON.parse(JSON.stringify(r))).sort(), expand: JSON.parse(JSON.stringify(r.publicExport())).expand ?? null })`
routerAdd("GET", "/expand-rec", (e) => {
    const r = e.app.findRecordById("posts", "post00000000001")
    const errs = e.app.expandRecord(r, ["author", "tags", "nope", "author.x"], null)
    return e.json(200, { errs: Object.keys(errs).sort(), one: r.expandedOne("author")?.id ?? null, all: r.expandedAll("tags").map((t) => t.id), missing: r.expandedOne("zzz"), missingAll: r.expandedAll("zzz").length, rec: r })
})
routerAdd("GET", "/expand-recs", (e) => {
    const rs = e.app.findRecordsByFilter("posts", "", "title", 0, 0)
    const errs = e.app.expandRecords(rs, ["author", "comments_via_post"], null)
    return e.json(200, { errs: Object.keys(errs), rs })
})
routerAdd("GET", "/expand-fetch", (e) => {
    const r = e.app.findRecordById("posts", "post00000000001")
    const seen = []
    e.app.expandRecord(r, ["tags", "author"], (c, ids) => { seen.push([c.name, ids.length]); return e.app.findRecordsByIds(c.id, ids.slice(0, 1)) })
    return e.json(200, { seen: seen.sort(), r })
})
routerAdd("GET", "/expand-fetch-throw", (e) => {
    const r = e.app.findRecordById("posts", "post00000000001")
    const errs = e.app.expandRecord(r, ["tags"], (c, ids) => { throw new Error("no fetch") })
    return e.json(200, { errs: Object.keys(errs), r })
})
routerAdd("GET", "/set-expand", (e) => {
    const r = e.app.findRecordById("posts", "post00000000002")
    const t = e.app.findRecordById("tags", "tag000000000001")
    r.setExpand({ tags: [t], custom: t })
    r.mergeExpand({ author: e.app.findRecordById("users", "user00000000002") })
    return e.json(200, { keys: Object.keys(r.expand()).sort(), r, one: r.expandedOne("tags")?.id, all: r.expandedAll("custom").length, get: Object.keys(r.get("expand")).sort() })
})
routerAdd("GET", "/enrich", (e) => {
    const r = e.app.findRecordById("posts", "post00000000001")
    $apis.enrichRecord(e, r, "tags")
    return e.json(200, r)
})
routerAdd("GET", "/enrich-many", (e) => {
    const rs = e.app.findRecordsByFilter("posts", "n > 0", "-n", 10, 0)
    $apis.enrichRecords(e, rs, "author")
    return e.json(200, rs)
})
routerAdd("GET", "/enrich-raw", (e) => e.json(200, e.app.findAllRecords("posts")[0]))
routerAdd("GET", "/can", (e) => {
    const r = e.app.findRecordById("posts", "post00000000001")
    const info = e.requestInfo()
    const out = {}
    for (const [k, rule] of Object.entries({ nul: null, empty: "", own: r.collection().updateRule, t: "title = 'p1'", f: "title = 'zz'", q: "@request.query.a = '1'", h: "@request.headers.x_test = 'y'", m: "@request.method = 'GET'" })) {
        out[k] = e.app.canAccessRecord(r, info, rule)
    }
    try { out.bad = e.app.canAccessRecord(r, info, "nope = 1") } catch (err) { out.bad = "ERR " + err.name }
    const other = new RequestInfo({ auth: e.app.findRecordById("users", "user00000000001"), method: "POST" })
    out.asUser = e.app.canAccessRecord(r, other, r.collection().updateRule)
    out.info = [other.method, other.context, other.auth.id, other.hasSuperuserAuth(), JSON.stringify(other.query)]
    return e.json(200, out)
})
routerAdd("GET", "/vis", (e) => {
    const u = e.app.findRecordById("users", "user00000000001")
    const keys = (r) => Object.keys(JSON.parse(JSON.stringify(r))).sort().join()
    const out = [keys(u), keys(u.ignoreEmailVisibility(true)), keys(u.hide("name", "avatar")), keys(u.unhide("name", "password", "tokenKey"))]
    const p = e.app.findRecordById("posts", "post00000000001")
    p.set("zzz", 5)
    out.push(keys(p), keys(p.withCustomData(true)), keys(p.withCustomData(false)), JSON.stringify(p.customData()), JSON.stringify(p.get("zzz")), Object.keys(p.fieldsData()).sort().join())
    return e.json(200, out)
})
