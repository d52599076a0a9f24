import { ERRORS, type ErrorCode } from '../kernel/errors.ts';
import { PROBLEM_TYPE, problemSchema } from './problem.ts';

/** What any route behind the guard may answer. */
const COMMON: readonly ErrorCode[] = [
  'request.invalid',
  'access.unauthenticated',
  'access.denied',
  'request.misdirected',
  'internal',
];

/** An answer that is a problem document, for the OpenAPI description. */
export interface ProblemResponse {
  readonly description: string;
  readonly content: { readonly [PROBLEM_TYPE]: { readonly schema: typeof problemSchema } };
}

/** The error answers of a route behind the guard: the common ones and its own, by status. */
export function problems(...codes: readonly ErrorCode[]): Record<string, ProblemResponse> {
  return onlyProblems(...COMMON, ...codes);
}

/** The error answers of a route that asks for no key. */
export function onlyProblems(...codes: readonly ErrorCode[]): Record<string, ProblemResponse> {
  const responses: Record<string, ProblemResponse> = {};
  for (const code of new Set(codes)) {
    const { status, title } = ERRORS[code];
    const description = `\`${code}\`: ${title}`;
    const before = responses[status]?.description;
    responses[status] = {
      description: before === undefined ? description : `${before}; ${description}`,
      content: { [PROBLEM_TYPE]: { schema: problemSchema } },
    };
  }
  return responses;
}
