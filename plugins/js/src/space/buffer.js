(() => {
    const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    const kind = (encoding) => String(encoding ?? "utf8").toLowerCase().replace("-", "")
    const utf8 = {
        bytes(text) {
            const out = []
            for (const char of String(text)) {
                let c = char.codePointAt(0)
                if (c >= 0xd800 && c <= 0xdfff) c = 0xfffd
                if (c < 0x80) out.push(c)
                else if (c < 0x800) out.push(0xc0 | c >> 6, 0x80 | c & 63)
                else if (c < 0x10000) out.push(0xe0 | c >> 12, 0x80 | c >> 6 & 63, 0x80 | c & 63)
                else out.push(0xf0 | c >> 18, 0x80 | c >> 12 & 63, 0x80 | c >> 6 & 63, 0x80 | c & 63)
            }
            return out
        },
        text(bytes) {
            let out = "", at = 0
            while (at < bytes.length) {
                const first = bytes[at++]
                const more = first < 0x80 ? 0 : first >> 5 == 6 ? 1 : first >> 4 == 14 ? 2 : first >> 3 == 30 ? 3 : -1
                let c = more < 0 ? 0xfffd : more == 0 ? first : first & (0x3f >> more)
                for (let i = 0; i < more; i++) {
                    if ((bytes[at] & 0xc0) != 0x80) { c = 0xfffd; break }
                    c = c << 6 | bytes[at++] & 63
                }
                out += String.fromCodePoint(c > 0x10ffff ? 0xfffd : c)
            }
            return out
        },
    }
    const base64 = {
        bytes(text) {
            const out = []
            let bits = 0, n = 0
            for (const char of String(text)) {
                const c = char == "-" ? "+" : char == "_" ? "/" : char
                const value = chars.indexOf(c)
                if (value < 0) continue
                bits = (bits << 6 | value) & 0xffffff
                n += 6
                if (n >= 8) { n -= 8; out.push(bits >> n & 255) }
            }
            return out
        },
        text(bytes, url) {
            let out = ""
            for (let at = 0; at < bytes.length; at += 3) {
                const [a, b, c] = [bytes[at], bytes[at + 1], bytes[at + 2]]
                out += chars[a >> 2] + chars[(a & 3) << 4 | (b ?? 0) >> 4]
                out += b === undefined ? "=" : chars[(b & 15) << 2 | (c ?? 0) >> 6]
                out += c === undefined ? "=" : chars[c & 63]
            }
            return url ? out.replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "") : out
        },
    }
    const bytesOf = (text, encoding) => {
        switch (kind(encoding)) {
            case "hex": return (String(text).match(/[0-9a-f]{2}/gi) ?? []).map((pair) => parseInt(pair, 16))
            case "base64": case "base64url": return base64.bytes(text)
            case "latin1": case "binary": case "ascii": return [...String(text)].map((char) => char.charCodeAt(0) & 255)
            default: return utf8.bytes(text)
        }
    }
    class Buffer extends Uint8Array {
        static poolSize = 8192
        static from(value, encoding, length) {
            if (typeof value == "string" || value instanceof String) return Buffer.#of(bytesOf(value, encoding))
            if (value instanceof ArrayBuffer) return new Buffer(value, encoding, length)
            return Buffer.#of([...value])
        }
        static #of(bytes) {
            const made = new Buffer(bytes.length)
            made.set(bytes)
            return made
        }
        static alloc(size, fill, encoding) {
            const made = new Buffer(size)
            if (fill !== undefined) made.fill(fill, encoding)
            return made
        }
        static allocUnsafe(size) { return new Buffer(size) }
        static concat(list, length) {
            const total = length ?? list.reduce((n, one) => n + one.length, 0)
            const made = new Buffer(total)
            let at = 0
            for (const one of list) {
                if (at >= total) break
                made.set(one.subarray(0, total - at), at)
                at += one.length
            }
            return made
        }
        static isBuffer(value) { return value instanceof Buffer }
        static byteLength(text, encoding) { return bytesOf(text, encoding).length }
        fill(value, start, end) {
            if (typeof value != "string") return super.fill(value, start, end)
            const bytes = bytesOf(value, typeof start == "string" ? start : undefined)
            for (let at = 0; bytes.length && at < this.length; at++) this[at] = bytes[at % bytes.length]
            return this
        }
        toString(encoding, start, end) {
            const bytes = this.subarray(start ?? 0, end ?? this.length)
            switch (kind(encoding)) {
                case "hex": return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
                case "base64": return base64.text(bytes)
                case "base64url": return base64.text(bytes, true)
                case "latin1": case "binary": case "ascii": return String.fromCharCode(...bytes)
                default: return utf8.text(bytes)
            }
        }
        toJSON() { return { type: "Buffer", data: [...this] } }
        equals(other) { return this.length == other.length && this.every((byte, at) => byte == other[at]) }
        write(text, offset = 0, length, encoding) {
            const bytes = bytesOf(text, encoding).slice(0, Math.min(length ?? Infinity, this.length - offset))
            this.set(bytes, offset)
            return bytes.length
        }
        readUIntBE(at, n) { let v = 0; for (let i = 0; i < n; i++) v = v * 256 + this[at + i]; return v }
        readUIntLE(at, n) { let v = 0; for (let i = n - 1; i >= 0; i--) v = v * 256 + this[at + i]; return v }
        readIntBE(at, n) { const v = this.readUIntBE(at, n), half = 2 ** (8 * n - 1); return v >= half ? v - 2 * half : v }
        readIntLE(at, n) { const v = this.readUIntLE(at, n), half = 2 ** (8 * n - 1); return v >= half ? v - 2 * half : v }
        writeUIntBE(v, at, n) { for (let i = n - 1; i >= 0; i--) { this[at + i] = v % 256; v = Math.floor(v / 256) } return at + n }
        writeUIntLE(v, at, n) { for (let i = 0; i < n; i++) { this[at + i] = v % 256; v = Math.floor(v / 256) } return at + n }
        writeIntBE(v, at, n) { return this.writeUIntBE(v < 0 ? v + 2 ** (8 * n) : v, at, n) }
        writeIntLE(v, at, n) { return this.writeUIntLE(v < 0 ? v + 2 ** (8 * n) : v, at, n) }
    }
    const define = (name, value) => Object.defineProperty(Buffer.prototype, name, { value, writable: true, configurable: true })
    const wide = [["UInt8", 1], ["Int8", 1], ["UInt16", 2], ["Int16", 2], ["UInt32", 4], ["Int32", 4], ["Float", 4, "Float32"], ["Double", 8, "Float64"], ["BigInt64", 8], ["BigUInt64", 8, "BigUint64"]]
    for (const [name, size, view] of wide) {
        const method = view ?? name.replace("UInt", "Uint")
        for (const end of size == 1 ? [""] : ["LE", "BE"]) {
            const read = function (at = 0) { return new DataView(this.buffer, this.byteOffset, this.byteLength)["get" + method](at, end == "LE") }
            const write = function (v, at = 0) { new DataView(this.buffer, this.byteOffset, this.byteLength)["set" + method](at, v, end == "LE"); return at + size }
            for (const alias of new Set([name, name.replace("UInt", "Uint")])) {
                define("read" + alias + end, read)
                define("write" + alias + end, write)
            }
        }
    }
    return Buffer
})()
