/// <reference path="../pb_data/types.d.ts" />
onRecordAfterCreateSuccess((e) => {
    const l = $app.store().get("log") || []
    l.push("ok:" + e.record.get("name") + ":" + e.app.isTransactional() + ":" + $app.isTransactional()); $app.store().set("log", l)
    return e.next()
}, "items")
onRecordAfterCreateError((e) => {
    const l = $app.store().get("log") || []
    l.push("err:" + e.record.get("name") + ":" + e.app.isTransactional() + ":" + String(e.error).split("\n")[0]); $app.store().set("log", l)
    return e.next()
}, "items")
onRecordAfterUpdateSuccess((e) => {
    const l = $app.store().get("log") || []
    l.push("upd:" + e.record.get("name") + ":" + e.record.original().get("n") + ">" + e.record.get("n")); $app.store().set("log", l)
    return e.next()
}, "items")
onRecordAfterDeleteSuccess((e) => {
    const l = $app.store().get("log") || []
    l.push("del:" + e.record.get("name") + ":" + e.type); $app.store().set("log", l)
    return e.next()
}, "items")
onRecordCreate((e) => {
    if (e.record.get("name") == "txinhook") {
        return e.app.runInTransaction((tx) => {
            e.app = tx
            tx.save(new Record(tx.findCollectionByNameOrId("audit"), { text: "in hook " + tx.isTransactional() }))
            e.next()
        })
    }
    if (e.record.get("name") == "txfail") {
        return e.app.runInTransaction((tx) => {
            const old = e.app
            e.app = tx
            e.next()
            throw new BadRequestError("after next")
        })
    }
    return e.next()
}, "items")
routerAdd("GET", "/log", (e) => { const l = e.app.store().get("log") || []; e.app.store().set("log", []); return e.json(200, l) })
routerAdd("GET", "/count", (e) => e.json(200, [e.app.countRecords("items"), e.app.countRecords("audit")]))

routerAdd("GET", "/commit", (e) => {
    const out = []
    $app.runInTransaction((tx) => {
        out.push(tx.isTransactional(), e.app.isTransactional(), $app.isTransactional(), typeof tx.rootCmd, tx === $app)
        tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "c1" }))
        out.push(tx.countRecords("items"))
        out.push((e.app.store().get("log") || []).length)
    })
    out.push($app.countRecords("items"))
    return e.json(200, out)
})
routerAdd("GET", "/rollback", (e) => {
    const out = {}
    try {
        $app.runInTransaction((tx) => {
            tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "r1" }))
            throw new BadRequestError("stop", { a: 1 })
        })
    } catch (err) { out.same = err instanceof BadRequestError; out.msg = err.message; out.go = err instanceof GoError; out.status = err.status }
    return e.json(200, out)
})
routerAdd("GET", "/rollback-obj", (e) => {
    const o = { mine: 1 }
    try { $app.runInTransaction((tx) => { throw o }) } catch (err) { return e.json(200, { same: err === o, err }) }
})
routerAdd("GET", "/rollback-binding", (e) => {
    try { $app.runInTransaction((tx) => { tx.findRecordById("items", "zzz") }) } catch (err) { return e.json(200, { go: err instanceof GoError, m: err.message, keys: Object.keys(err) }) }
})
routerAdd("GET", "/uncaught", (e) => { $app.runInTransaction((tx) => { tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "u1" })); throw new ForbiddenError("tx forbidden") }) })
routerAdd("GET", "/uncaught-js", (e) => { $app.runInTransaction((tx) => { throw new Error("secret") }) })
routerAdd("GET", "/uncaught-missing", (e) => { $app.runInTransaction((tx) => { tx.findRecordById("items", "zzz") }) })
for (const [name, body] of Object.entries({
    value: "return 1", zero: "return 0", str: "return ''", tru: "return true", fals: "return false", undef: "return undefined", nul: "return null", rec: "return tx.findRecordById('items','item00000000001')",
    obj: "return {}", arr: "return []", err: "return new Error('x')", api: "return new BadRequestError('x')", fn: "return () => {}",
})) {
    routerAdd("GET", "/return-" + name, `(e) => {
        try { $app.runInTransaction((tx) => { tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "ret-${name}" })); ${body} }); return e.json(200, { ok: true, n: $app.countRecords("items", $dbx.hashExp({ name: "ret-${name}" })) }) }
        catch (err) { return e.json(200, { name: err.name ?? null, msg: String(err.message).split(" at ")[0].substring(0, 90), go: err instanceof GoError, n: $app.countRecords("items", $dbx.hashExp({ name: "ret-${name}" })) }) }
    }`)
}
routerAdd("GET", "/async", (e) => {
    try { $app.runInTransaction(async (tx) => { tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "async" })) }); return e.json(200, "ok") } catch (err) { return e.json(200, { msg: err.message.substring(0, 30), n: $app.countRecords("items", $dbx.hashExp({ name: "async" })) }) }
})
routerAdd("GET", "/nested", (e) => {
    const out = []
    $app.runInTransaction((tx) => {
        tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "n1" }))
        tx.runInTransaction((tx2) => {
            out.push(tx2.isTransactional(), tx2 === tx)
            tx2.save(new Record(tx2.findCollectionByNameOrId("items"), { name: "n2" }))
        })
        try { tx.runInTransaction((tx2) => { tx2.save(new Record(tx2.findCollectionByNameOrId("items"), { name: "n3" })); throw new Error("inner") }) } catch (err) { out.push(err.message) }
        out.push(tx.countRecords("items", $dbx.in("name", "n1", "n2", "n3")))
    })
    out.push($app.countRecords("items", $dbx.in("name", "n1", "n2", "n3")))
    return e.json(200, out)
})
routerAdd("GET", "/failing-save", (e) => {
    const out = []
    try {
        $app.runInTransaction((tx) => {
            tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "f1" }))
            try { tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "f1" })) } catch (err) { out.push(err.message, JSON.stringify(err.value)) }
            try { tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "f2", n: -1 })) } catch (err) { out.push(err.message, JSON.stringify(err.value)) }
            tx.save(new Record(tx.findCollectionByNameOrId("items"), { name: "f3" }))
        })
    } catch (err) { out.push("outer " + err.message) }
    out.push($app.countRecords("items", $dbx.like("name", "f")))
    return e.json(200, out)
})
routerAdd("GET", "/update-delete", (e) => {
    $app.runInTransaction((tx) => {
        const r = tx.findRecordById("items", "item00000000001")
        r.set("n+", 4); tx.save(r)
        const d = new Record(tx.findCollectionByNameOrId("items"), { name: "temp" }); tx.save(d); tx.delete(d)
    })
    return e.json(200, $app.findRecordById("items", "item00000000001").get("n"))
})
routerAdd("GET", "/oncomplete", (e) => {
    const out = []
    $app.runInTransaction((tx) => { tx.txInfo().onComplete((err) => { e.app.store().set("done", String(err)) }); out.push(tx.txInfo() != null) })
    out.push(e.app.store().get("done"), $app.txInfo())
    try { $app.runInTransaction((tx) => { tx.txInfo().onComplete((err) => { e.app.store().set("done", err ? String(err.message ?? err).split("\n")[0] : "none") }); throw new BadRequestError("x") }) } catch (_) { }
    out.push(e.app.store().get("done"))
    return e.json(200, out)
})
routerAdd("GET", "/db-in-tx", (e) => {
    const out = []
    $app.runInTransaction((tx) => {
        tx.db().newQuery("INSERT INTO items (id, name, n) VALUES ({:id}, {:name}, 5)").bind({ id: "raw000000000001", name: "raw" }).execute()
        const n = nullInt()
        tx.db().select("count(*)").from("items").where($dbx.hashExp({ name: "raw" })).row(n)
        out.push(n == 1, tx.findRecordById("items", "raw000000000001").get("n"))
    })
    return e.json(200, out)
})
routerAdd("GET", "/aux", (e) => {
    const out = []
    $app.auxRunInTransaction((tx) => { out.push(tx.isTransactional(), tx.auxHasTable("_logs"), tx.hasTable("items")) })
    return e.json(200, out)
})
routerAdd("GET", "/collection-in-tx", (e) => {
    const out = []
    try {
        $app.runInTransaction((tx) => {
            tx.save(new Collection({ type: "base", name: "temp", fields: [{ name: "x", type: "text" }] }))
            tx.save(new Record(tx.findCollectionByNameOrId("temp"), { x: "1" }))
            out.push(tx.countRecords("temp"), tx.hasTable("temp"))
            throw new Error("drop it")
        })
    } catch (err) { out.push(err.message) }
    out.push($app.hasTable("temp"))
    try { $app.findCollectionByNameOrId("temp"); out.push("found") } catch (err) { out.push(err.message) }
    return e.json(200, out)
})
