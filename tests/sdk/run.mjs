// The official JavaScript SDK against a running server. Started by tests/sdk.rs:
//
//   node run.mjs URL SUPERUSER_EMAIL SUPERUSER_PASSWORD MAIL_COMMAND_URL
//
// Every step is one entry of `steps`; add new ones there. `mail()` gives the newest mail to an address.
import assert from "node:assert/strict";
import { File } from "node:buffer";
import zlib from "node:zlib";
import { EventSource } from "eventsource";
import PocketBase, { ClientResponseError } from "pocketbase";

// what browsers have and node lacks
globalThis.EventSource ??= EventSource;

const [url, rootEmail, rootPassword, mailUrl] = process.argv.slice(2);

/** A client without a session. */
const client = () => {
    const pb = new PocketBase(url);
    pb.autoCancellation(false);
    return pb;
};

/** A client of the superuser. */
const root = async () => {
    const pb = client();
    await pb.collection("_superusers").authWithPassword(rootEmail, rootPassword);
    return pb;
};

/** The newest mail to an address as {subject, html}; waits for it. */
const mail = async (to, subject) => {
    const answer = await fetch(`${mailUrl}/?to=${encodeURIComponent(to)}&subject=${encodeURIComponent(subject)}`);
    assert.equal(answer.status, 200, `no mail to ${to}: ${subject}`);
    return answer.text();
};

const tokenIn = (html, page) => {
    const found = html.match(new RegExp(`/_/#/auth/${page}/([\\w.-]+)`));
    assert(found, `no link to ${page} in ${html}`);
    return found[1];
};

/** Collects what a subscription hears. */
const collector = () => {
    const all = [];
    const find = (text) => all.find((event) => event.record.text === text);
    return {
        all,
        push: (event) => all.push(event),
        /** Everything, once the record with this text was heard of. */
        async until(text) {
            for (let n = 0; !find(text); n++) {
                assert(n < 1000, `never heard of ${text}: ${JSON.stringify(all)}`);
                await new Promise((done) => setTimeout(done, 20));
            }
            return all;
        },
    };
};

/** Repeats a write until one is heard of: a broken connection subscribes again in its own time. */
const untilHeard = async (write, heard) => {
    for (let n = 0; !heard.all.length; n++) {
        assert(n < 200, "never heard of a write again");
        await write(n);
        await new Promise((done) => setTimeout(done, 100));
    }
};

/** The checksum of PNG (newer versions of node have it in zlib). */
const crc32 = (bytes) => {
    let crc = 0xffffffff;
    for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    return (crc ^ 0xffffffff) >>> 0;
};

/** 60 × 30 red pixels as PNG. */
const picture = (() => {
    const chunk = (type, data) => {
        const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
        const out = Buffer.alloc(body.length + 8);
        out.writeUInt32BE(data.length, 0);
        body.copy(out, 4);
        out.writeUInt32BE(crc32(body), body.length + 4);
        return out;
    };
    const head = Buffer.from([0, 0, 0, 60, 0, 0, 0, 30, 8, 2, 0, 0, 0]);
    const row = Buffer.concat([Buffer.from([0]), Buffer.from(Array(60).fill([255, 0, 0]).flat())]);
    const rows = zlib.deflateSync(Buffer.concat(Array(30).fill(row)));
    return new Uint8Array(Buffer.concat([
        Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0)),
    ]));
})();

const refused = (status) => (error) => error instanceof ClientResponseError && error.status === status;

const user = { email: "sdk@example.com", password: "sdk-password" };

const steps = {
    async "sign-up"() {
        const made = await client().collection("users").create({
            email: user.email, password: user.password, passwordConfirm: user.password, name: "Sdk",
        });
        assert.equal(made.name, "Sdk");
        user.id = made.id;
    },
    async verification() {
        const users = client().collection("users");
        assert.equal(await users.requestVerification(user.email), true);
        const html = await mail(user.email, "Verify");
        assert.equal(await users.confirmVerification(tokenIn(html, "confirm-verification")), true);
    },
    async login() {
        const pb = client();
        await assert.rejects(pb.collection("users").authWithPassword(user.email, "wrong-password"), refused(400));
        const { record } = await pb.collection("users").authWithPassword(user.email, user.password);
        assert.equal(record.id, user.id);
        assert.equal(record.verified, true);
        assert(pb.authStore.isValid && !pb.authStore.isSuperuser);
    },
    async refresh() {
        const pb = client();
        await pb.collection("users").authWithPassword(user.email, user.password);
        const { token, record } = await pb.collection("users").authRefresh();
        assert(token && record.id === user.id);
    },
    async "auth methods"() {
        const methods = await client().collection("users").listAuthMethods();
        assert.deepEqual(methods.password, { identityFields: ["email"], enabled: true });
    },
    async otp() {
        const admin = await root();
        await admin.collections.update("users", { otp: { enabled: true }, authAlert: { enabled: false } });
        const users = client().collection("users");
        const { otpId } = await users.requestOTP(user.email);
        const code = (await mail(user.email, "OTP")).match(/<strong>(\d+)<\/strong>/)[1];
        await assert.rejects(users.authWithOTP(otpId, "00000000x"), refused(400));
        assert.equal((await users.authWithOTP(otpId, code)).record.id, user.id);
    },
    async mfa() {
        const admin = await root();
        await admin.collections.update("users", { mfa: { enabled: true } });
        const users = client().collection("users");
        let mfaId;
        try {
            await users.authWithPassword(user.email, user.password);
            assert.fail("one factor is not enough");
        } catch (error) {
            if (!refused(401)(error)) throw error;
            mfaId = error.response.mfaId;
        }
        const { otpId } = await users.requestOTP(user.email);
        const code = (await mail(user.email, "OTP")).match(/<strong>(\d+)<\/strong>/)[1];
        assert.equal((await users.authWithOTP(otpId, code, { mfaId })).record.id, user.id);
        await admin.collections.update("users", { mfa: { enabled: false }, otp: { enabled: false } });
    },
    async "password reset"() {
        const users = client().collection("users");
        assert.equal(await users.requestPasswordReset(user.email), true);
        const token = tokenIn(await mail(user.email, "Reset"), "confirm-password-reset");
        user.password = "sdk-password-2";
        assert.equal(await users.confirmPasswordReset(token, user.password, user.password), true);
        await users.authWithPassword(user.email, user.password);
    },
    async "email change"() {
        const pb = client();
        await pb.collection("users").authWithPassword(user.email, user.password);
        assert.equal(await pb.collection("users").requestEmailChange("sdk2@example.com"), true);
        const token = tokenIn(await mail("sdk2@example.com", "Confirm"), "confirm-email-change");
        assert.equal(await pb.collection("users").confirmEmailChange(token, user.password), true);
        user.email = "sdk2@example.com";
        await client().collection("users").authWithPassword(user.email, user.password);
    },
    async impersonate() {
        const admin = await root();
        const other = await admin.collection("users").impersonate(user.id, 60);
        assert.equal(other.authStore.record.id, user.id);
        assert.equal((await other.collection("users").getOne(user.id)).id, user.id);
    },
    async files() {
        const admin = await root();
        await admin.collections.create({
            name: "docs", type: "base", listRule: "", viewRule: "@request.auth.id != ''", createRule: "", updateRule: "",
            fields: [
                { name: "title", type: "text" },
                { name: "open", type: "file", maxSelect: 3, thumbs: ["20x0"] },
                { name: "closed", type: "file", protected: true },
            ],
        });
        const docs = client().collection("docs");
        const made = await docs.create({
            title: "files", open: [new File([picture], "red.png", { type: "image/png" }), new File(["text"], "a.txt")],
            closed: new File(["secret"], "s.txt"),
        });
        assert.equal(made.open.length, 2);
        const pb = client();
        await pb.collection("users").authWithPassword(user.email, user.password);
        const get = (name, options) => fetch(pb.files.getURL(made, name, options));
        assert.deepEqual(new Uint8Array(await (await get(made.open[0])).arrayBuffer()), picture);
        const thumb = await get(made.open[0], { thumb: "20x0" });
        assert.equal(thumb.headers.get("content-type"), "image/png");
        assert.equal(new DataView(await thumb.arrayBuffer()).getUint32(16), 20, "its width");
        assert.match((await get(made.open[1], { download: true })).headers.get("content-disposition"), /^attachment/);
        assert.equal((await get(made.closed)).status, 404);
        const token = await pb.files.getToken();
        assert.equal(await (await get(made.closed, { token })).text(), "secret");
        await assert.rejects(client().files.getToken(), refused(401));
        const changed = await pb.collection("docs").update(made.id, { "open-": [made.open[0]], "open+": new File(["b"], "second.txt") });
        assert.equal(changed.open.length, 2);
        assert(changed.open[1].startsWith("second_"));
        assert.equal((await get(made.open[0])).status, 404);
    },
    async "records in a batch"() {
        const admin = await root();
        await admin.settings.update({ batch: { enabled: true, maxRequests: 50, timeout: 3 } });
        const batch = client().createBatch();
        batch.collection("docs").create({ title: "b1", open: new File(["x"], "x.txt") });
        batch.collection("docs").create({ title: "b2" });
        const [first, second] = await batch.send();
        assert.deepEqual([first.status, first.body.title, second.body.title], [200, "b1", "b2"]);
        assert.equal(first.body.open.length, 1);
        const bad = client().createBatch();
        bad.collection("docs").create({ title: "b3" });
        bad.collection("docs").update("missing", {});
        await assert.rejects(bad.send(), refused(400));
        const list = await client().collection("docs").getFullList({ filter: "title ~ 'b'", sort: "title", fields: "title" });
        assert.deepEqual(list, [{ title: "b1" }, { title: "b2" }]);
    },
    async realtime() {
        const admin = await root();
        const users = await admin.collections.getOne("users");
        await admin.collections.create({
            name: "chat", type: "base", listRule: "to = '' || to = @request.auth.id", viewRule: "to = '' || to = @request.auth.id",
            fields: [
                { name: "text", type: "text" },
                { name: "to", type: "relation", collectionId: users.id, maxSelect: 1 },
            ],
        });
        const member = client();
        await member.collection("users").authWithPassword(user.email, user.password);
        const guest = client();
        const [seenByMember, seenByGuest] = [collector(), collector()];
        const stop = await member.collection("chat").subscribe("*", seenByMember.push, { expand: "to" });
        await guest.collection("chat").subscribe("*", seenByGuest.push, { fields: "text" });
        const chat = admin.collection("chat");
        const own = await chat.create({ text: "to the member", to: user.id });
        await chat.update(own.id, { text: "changed" });
        await chat.create({ text: "to all" });
        await chat.delete(own.id);
        await chat.create({ text: "end" });
        const events = await seenByMember.until("end");
        assert.deepEqual(events.map((e) => `${e.action} ${e.record.text}`),
            ["create to the member", "update changed", "create to all", "delete changed", "create end"]);
        assert.equal(events[0].record.expand.to.id, user.id);
        assert.deepEqual((await seenByGuest.until("end")).map((e) => e.record), [{ text: "to all" }, { text: "end" }]);

        // one record, a filter, and no more after leaving
        const one = await chat.create({ text: "one" });
        await seenByGuest.until("one");
        const [single, filtered] = [collector(), collector()];
        await guest.collection("chat").subscribe(one.id, single.push);
        await member.collection("chat").subscribe("*", filtered.push, { filter: "text ~ 'x'" });
        await stop();
        await chat.update(one.id, { text: "two" });
        await chat.create({ text: "xa" });
        await chat.update(one.id, { text: "end" });
        await chat.create({ text: "x end" });
        assert.deepEqual((await single.until("end")).map((e) => e.record.text), ["two", "end"]);
        assert.deepEqual((await filtered.until("x end")).map((e) => e.record.text), ["xa", "x end"]);
        assert.equal(seenByMember.all.length, 6, "one more, then left");

        await member.realtime.unsubscribe();
        await guest.realtime.unsubscribe();
        assert(!guest.realtime.isConnected);
    },
    async settings() {
        const admin = await root();
        const before = await admin.settings.getAll();
        assert.equal(before.smtp.password, undefined, "never shown");
        const after = await admin.settings.update({ meta: { appName: "Sdk app" }, logs: { maxDays: 3, minLevel: 0 } });
        assert.deepEqual([after.meta.appName, after.logs.maxDays], ["Sdk app", 3]);
        await assert.rejects(admin.settings.update({ meta: { appURL: "no url" } }), refused(400));
        await assert.rejects(admin.settings.testS3("storage"), refused(400));
        assert.equal(await admin.settings.testEmail("users", "sdk@example.com", "verification"), true);
        await mail("sdk@example.com", "Verify");
        await assert.rejects(client().settings.getAll(), refused(401));
        assert.equal((await admin.health.check()).code, 200);
    },
    async logs() {
        const admin = await root();
        let list;
        for (let n = 0; !list?.items.length; n++) {
            assert(n < 500, "nothing is logged");
            await new Promise((done) => setTimeout(done, 20));
            list = await admin.logs.getList(1, 5, { filter: "data.status >= 400", sort: "-created" });
        }
        const one = await admin.logs.getOne(list.items[0].id);
        assert.deepEqual(one, list.items[0]);
        const hours = await admin.logs.getStats({ filter: "data.status >= 400" });
        assert(hours.length >= 1 && hours[0].total >= 1 && hours[0].date);
        await assert.rejects(client().logs.getList(), refused(401));
    },
    async crons() {
        const admin = await root();
        const jobs = await admin.crons.getFullList();
        assert(jobs.some((job) => job.id === "__pbLogsCleanup__" && job.expression));
        assert.equal(await admin.crons.run("__pbLogsCleanup__"), true);
        await assert.rejects(admin.crons.run("missing"), refused(404));
    },
    async backups() {
        const admin = await root();
        assert.equal(await admin.backups.create("sdk.zip"), true);
        assert.deepEqual((await admin.backups.getFullList()).map((b) => b.key), ["sdk.zip"]);
        const token = await admin.files.getToken();
        const zip = await (await fetch(admin.backups.getDownloadURL(token, "sdk.zip"))).arrayBuffer();
        assert.equal(new DataView(zip).getUint32(0), 0x504b0304);
        assert.equal(await admin.backups.upload({ file: new File([zip], "again.zip", { type: "application/zip" }) }), true);
        assert.equal(await admin.backups.delete("sdk.zip"), true);
        await client().collection("docs").create({ title: "after the backup" });
        const [heard, listener] = [collector(), client()];
        await listener.collection("docs").subscribe("*", heard.push);
        const before = listener.realtime.clientId;
        assert.equal(await admin.backups.restore("again.zip"), true);
        const left = async () => {
            try {
                return (await client().collection("docs").getList(1, 1, { filter: "title = 'after the backup'" })).totalItems;
            } catch {
                return -1; // it starts again
            }
        };
        for (let n = 0; (await left()) !== 0; n++) {
            assert(n < 1000, "never restored");
            await new Promise((done) => setTimeout(done, 20));
        }
        assert.equal(await admin.backups.delete("again.zip"), true);
        // the restart broke the connection: the SDK comes back with its subscriptions
        await untilHeard((n) => client().collection("docs").create({ title: `again ${n}` }), heard);
        assert(listener.realtime.isConnected && listener.realtime.clientId !== before, "another connection");
        await listener.realtime.unsubscribe();
    },
};

for (const [name, step] of Object.entries(steps)) {
    try {
        await step();
        console.log(`ok ${name}`);
    } catch (error) {
        console.error(`FAILED ${name}:`, error?.response ?? "", error);
        process.exit(1);
    }
}
