import { toProblem } from '../api/problem.ts';

export interface FilterFault {
  /** What stands before the place. */
  readonly before: string;
  /** From the place on; empty: something is missing at the end. */
  readonly from: string;
  /** What the server says is wrong there. */
  readonly message: string;
}

/** Where in a filter the server found fault; undefined for every other error. */
export function filterFault(error: unknown, filter: string): FilterFault | undefined {
  const { code, detail, details } = toProblem(error);
  const { field, position } = details;
  if (code !== 'request.invalid' || field !== 'filter' || typeof position !== 'number') return undefined;
  return { before: filter.slice(0, position - 1), from: filter.slice(position - 1), message: detail };
}
