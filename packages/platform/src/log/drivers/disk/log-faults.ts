import { SelsynError, isSelsynError, systemCode } from '../../../kernel/errors.ts';

/** True for the faults that go away when someone makes room on the volume. */
export function isOutOfSpace(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** `log.full` where space, or the size a file may have, has run out; `log.failed` for every other fault of the volume. */
export function logFault(error: unknown, path: string): SelsynError {
  if (isSelsynError(error)) return error;
  const full = isOutOfSpace(error) || systemCode(error) === 'EFBIG';
  return new SelsynError(
    full ? 'log.full' : 'log.failed',
    full ? 'no space is left for the log' : 'the volume of the log has a fault',
    {
      cause: error,
      retryable: true,
      details: { path, cause: systemCode(error) ?? String(error) },
    },
  );
}

export function logCorrupt(path: string, position: number, offset: number, what: string): SelsynError {
  return new SelsynError('data.corrupt', `a segment of the log is damaged: ${what}`, { details: { path, position, offset } });
}
