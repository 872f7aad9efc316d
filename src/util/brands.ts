/**
 * Times and texts that must not be mixed up. A plain number or string fits each of these types, but none of them fits
 * another: the compiler refuses a runner's time where the server's is meant, and a secret where a text is printed.
 */

/** Milliseconds since 1970 by this machine's clock, which may be wrong. */
export type LocalTime = number & { readonly clock?: 'local' }
/** Milliseconds since 1970 by the server's clock; microseconds as a fraction. */
export type ServerTime = number & { readonly clock?: 'server' }
/** A key or another credential. */
export type Secret = string & { readonly secret?: true }
/** A text that may be printed. */
export type Printable = string & { readonly secret?: never }
