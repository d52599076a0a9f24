import { SelsynError } from '../../../kernel/errors.ts';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html); the extended ones carry them in the low byte. */
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** The platform's error for what SQLite threw; an error that a bug caused comes back as it is. */
export function fromSqliteError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
  const details = { path, sqliteCode: error.errcode };
  switch (error.errcode & 0xff) {
    case BUSY:
      return new SelsynError('data.locked', `another process holds the lock of ${path}`, {
        cause: error,
        retryable: true,
        details,
      });
    case FULL:
      return new SelsynError('data.unwritable', `the volume of ${path} is out of space`, {
        cause: error,
        retryable: true,
        details,
      });
    case READONLY:
    case IOERR:
    case CANTOPEN:
      return new SelsynError('data.unwritable', `${path} cannot be read or written: ${error.message}`, { cause: error, details });
    case CORRUPT:
    case NOTADB:
      return new SelsynError('data.corrupt', `${path} is not a sound database: ${error.message}`, { cause: error, details });
    default:
      return error;
  }
}
