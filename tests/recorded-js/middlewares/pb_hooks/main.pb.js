/// <reference path="../pb_data/types.d.ts" />
const add = (name) => `(e) => { const o = e.get("order") || []; o.push("${name}"); e.set("order", o); return e.next() }`

routerUse(add("g0"))
routerUse(new Middleware(add("g5"), 5))
routerUse(new Middleware(add("gm5"), -5, "idm5"))
routerUse(new Middleware(add("gm2000"), -2000))
routerUse((e) => {
    if (e.request.url.path == "/blocked") throw new ForbiddenError("blocked by global")
    if (e.request.url.path == "/silent") return
    e.response.header().set("X-Global", "yes")
    return e.next()
})

routerAdd("GET", "/order", (e) => e.json(200, { order: e.get("order") }), add("r0"), new Middleware(add("rm1"), -1), new Middleware(add("r7"), 7))
routerAdd("get", "/lower", (e) => e.string(200, "lower"))
routerAdd("GET", "/blocked", (e) => e.string(200, "never"))
routerAdd("GET", "/silent", (e) => e.string(200, "never"))

// same id twice: the later one replaces the earlier
routerAdd("GET", "/same-id", (e) => e.json(200, { order: e.get("order") }), new Middleware(add("first"), 0, "same"), new Middleware(add("second"), 0, "same"))

// catching
routerAdd("GET", "/catch", (e) => { throw new BadRequestError("inner", { a: new ValidationError("c", "m") }) }, (e) => {
    try { e.next() } catch (err) {
        return e.json(202, { name: err.name, msg: err.message, go: err instanceof GoError, api: err instanceof ApiError, vstatus: err.value.status, vmsg: err.value.message, str: String(err) })
    }
})
routerAdd("GET", "/catch-js", (e) => { throw new TypeError("plain") }, (e) => {
    try { e.next() } catch (err) {
        return e.json(202, { name: err.name, msg: err.message.split("\n")[0], go: err instanceof GoError, isErr: err instanceof Error, hasValue: "value" in err })
    }
})
routerAdd("GET", "/catch-string", (e) => { throw "text" }, (e) => {
    try { e.next() } catch (err) { return e.json(202, { name: err.name, msg: String(err.message).split("\n")[0], type: typeof err }) }
})
routerAdd("GET", "/catch-missing", (e) => { $app.findRecordById("users", "nope") }, (e) => {
    try { e.next() } catch (err) { return e.json(202, { name: err.name, msg: err.message }) }
})
routerAdd("GET", "/rethrow", (e) => { throw new ForbiddenError("inner") }, (e) => { try { e.next() } catch (err) { throw err } })
routerAdd("GET", "/rethrow-value", (e) => { throw new ForbiddenError("inner") }, (e) => { try { e.next() } catch (err) { throw err.value } })
routerAdd("GET", "/rewrap", (e) => { throw new ForbiddenError("inner") }, (e) => { try { e.next() } catch (err) { throw new BadRequestError("outer: " + err.message) } })
routerAdd("GET", "/swallow", (e) => { throw new ForbiddenError("inner") }, (e) => { try { e.next() } catch (err) { } })
routerAdd("GET", "/after", (e) => e.string(200, "body;"), (e) => { e.next(); return e.string(299, "tail;" + e.written() + ";" + e.status()) })
routerAdd("GET", "/throw-after", (e) => e.string(200, "body"), (e) => { e.next(); throw new BadRequestError("late") })
routerAdd("GET", "/next-twice", (e) => { e.set("n", (e.get("n") || 0) + 1); return e.json(200, { n: e.get("n") }) }, (e) => { e.next(); e.next() })
routerAdd("GET", "/stop-then-next", (e) => e.string(200, "handler"), (e) => { e.next(); return e.next() }, (e) => { e.set("stopped", 1) })
routerAdd("GET", "/no-write", (e) => { })
routerAdd("GET", "/set-auth", (e) => e.json(200, { id: e.auth?.collection().name, su: e.hasSuperuserAuth() }), (e) => { e.auth = new Record(e.app.findCollectionByNameOrId("users")); return e.next() })
routerAdd("GET", "/unset-auth", (e) => e.json(200, { auth: e.auth }), (e) => { e.auth = null; return e.next() }, $apis.requireGuestOnly())
routerAdd("POST", "/body-shared", (e) => e.json(200, e.requestInfo().body), (e) => { e.requestInfo().body["added"] = 1; return e.next() })
routerAdd("GET", "/headers", (e) => e.noContent(204), (e) => { e.response.header().set("X-One", "1"); e.response.header().add("X-Two", "a"); e.response.header().add("X-Two", "b"); return e.next() })

// built in
routerAdd("GET", "/guest", (e) => e.string(200, "guest"), $apis.requireGuestOnly())
routerAdd("GET", "/auth", (e) => e.string(200, e.auth.collection().name), $apis.requireAuth())
routerAdd("GET", "/auth-users", (e) => e.string(200, "users"), $apis.requireAuth("users"))
routerAdd("GET", "/auth-other", (e) => e.string(200, "other"), $apis.requireAuth("clients", "members"))
routerAdd("GET", "/superuser", (e) => e.string(200, "su"), $apis.requireSuperuserAuth())
routerAdd("GET", "/owner/{id}", (e) => e.string(200, "owner"), $apis.requireSuperuserOrOwnerAuth())
routerAdd("GET", "/owner2/{uid}", (e) => e.string(200, "owner"), $apis.requireSuperuserOrOwnerAuth("uid"))
routerAdd("POST", "/limit", (e) => e.json(200, { n: toString(e.request.body).length }), $apis.bodyLimit(10))
routerAdd("POST", "/limit0", (e) => e.json(200, { n: toString(e.request.body).length }), $apis.bodyLimit(0))
routerAdd("GET", "/gzip", (e) => e.string(200, "x".repeat(5000)), $apis.gzip())
routerAdd("GET", "/skip-log", (e) => e.string(200, "skip"), $apis.skipSuccessActivityLog())
routerAdd("GET", "/files/{path...}", $apis.static($os.getwd() + "/public", false))
routerAdd("GET", "/spa/{path...}", $apis.static($os.dirFS($os.getwd() + "/public"), true))

routerAdd("GET", "/str", "function (e) { return e.string(200, 'str ' + (this === undefined)) }")
routerAdd("GET", "/named", function named(e) { return e.string(200, named.name + ":" + arguments.length) })
routerAdd("GET", "/gen", function* (e) { e.string(200, "gen") })
routerAdd("GET", "/sub/", (e) => e.string(200, "sub " + e.request.url.path))
routerAdd("GET", "/exact/{$}", (e) => e.string(200, "exact"))
routerAdd("GET", "/w/{a}/{rest...}", (e) => e.json(200, [e.request.pathValue("a"), e.request.pathValue("rest"), e.request.pattern]))
routerAdd("GET", "/w/{a}/fixed", (e) => e.json(200, "fixed " + e.request.pathValue("a")))
