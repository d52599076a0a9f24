import { SelsynError } from '../../kernel/errors.ts';

/** How many items a list gives where nobody says otherwise, and at the most. */
export interface ListSize {
  readonly default: number;
  readonly max: number;
}

/** Of lists at the root. */
export const ROOT_LIST: ListSize = { default: 20, max: 1000 };
/** Of lists within items of other lists. */
export const INNER_LIST: ListSize = { default: 10, max: 100 };

/** Of a change, which is a write to the disk: a hundred in one request. */
export const MUTATION_COST = 100;

/** @throws SelsynError `request.invalid` */
export function sizeOf(first: number | null | undefined, size: ListSize): number {
  const wanted = first ?? size.default;
  if (wanted >= 1 && wanted <= size.max) return wanted;
  throw new SelsynError('request.invalid', `first: must be 1 to ${size.max}`, { details: { field: 'first' } });
}

/** Whatever is null is absent, as REST has it. */
export function absent<T>(value: T | null | undefined): T | undefined {
  return value ?? undefined;
}
