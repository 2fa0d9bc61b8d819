/** The absolute path of the directory with the hook files. */
declare var __hooks: string

/** Loads a CommonJS module; relative names begin at the working directory, in modules at the module. */
declare function require(name: string): any

declare var process: { env: { [name: string]: string } }

declare var module: { exports: any }
declare var exports: any
declare var __filename: string
declare var __dirname: string

/** Bytes as Node.js has them, as far as they need no streams. */
interface Buffer extends Uint8Array {
  [member: string]: any
  toString(encoding?: string): string
  equals(other: Uint8Array): boolean
}
declare var Buffer: {
  new (value: any, encoding?: string): Buffer
  from(value: any, encoding?: string): Buffer
  alloc(size: number, fill?: any): Buffer
  concat(list: Uint8Array[], length?: number): Buffer
  poolSize: number
}

/** What the server's functions throw; `value` is the error itself. */
interface GoError extends Error {
  value: any
}
declare var GoError: { new (message: string, value?: any): GoError }

/** The app: in handlers that which the handler acts in, in migrations missing. */
declare var $app: core.App
