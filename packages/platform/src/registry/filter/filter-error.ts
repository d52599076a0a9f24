import { SelsynError } from '../../kernel/errors.ts';

/** @param position of the character at which it shows, the first is 1. */
export function filterError(position: number, message: string): SelsynError {
  return new SelsynError('request.invalid', `the filter is not valid at character ${position}: ${message}`, {
    details: { field: 'filter', position },
  });
}
