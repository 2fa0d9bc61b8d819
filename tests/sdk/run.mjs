// The official JavaScript SDK against a running server. Started by tests/sdk.rs:
//
//   node run.mjs URL SUPERUSER_EMAIL SUPERUSER_PASSWORD MAIL_COMMAND_URL
//
// Every step is one entry of `steps`; add new ones there. `mail()` gives the newest mail to an address.
import assert from "node:assert/strict";
import PocketBase, { ClientResponseError } from "pocketbase";

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
