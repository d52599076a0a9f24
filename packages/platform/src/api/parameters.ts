import { z } from 'zod';
import { isSelsynError } from '../kernel/errors.ts';
import { invalidRequest, type RequestIssue } from './problem.ts';

/** A whole number in a query: digits only, so that neither `1e3` nor an empty text slips through. */
export function wholeNumber(options: { readonly min: number; readonly max: number; readonly default: number }) {
  return z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(options.min, `must be at least ${options.min}`).max(options.max, `must be at most ${options.max}`))
    .default(options.default)
    .meta({ type: 'integer', minimum: options.min, maximum: options.max, pattern: undefined });
}

/** A list in a query: `a,b`, or the parameter several times, or both. */
export function nameList(options: { readonly maxItems: number; readonly maxLength: number }) {
  return z
    .union([z.string(), z.array(z.string())])
    .transform((given) =>
      (Array.isArray(given) ? given : [given]).flatMap((text) => text.split(',')).filter((name) => name !== ''),
    )
    .pipe(
      z
        .array(z.string().max(options.maxLength, `a name is at most ${options.maxLength} characters long`))
        .max(options.maxItems, `at most ${options.maxItems} names`),
    )
    .transform((names) => [...new Set(names)])
    .meta({ type: 'string', anyOf: undefined });
}

export const deviceParams = z.object({
  id: z.string().meta({ description: 'The device id.', pattern: '^[A-Za-z0-9:_.-]{1,128}$' }),
});

export const cursorParameter = z
  .string()
  .min(1)
  .max(2048)
  .optional()
  .describe('What an earlier answer gave; the other parameters stay the same.');

/** Runs a parser of the kernel on one field and lets its error name that field. */
export function parseField<T>(where: RequestIssue['in'], field: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (isSelsynError(error, 'request.invalid')) throw invalidRequest([{ in: where, field, message: error.message }], error);
    throw error;
  }
}
