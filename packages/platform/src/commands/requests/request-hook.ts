import { SelsynError } from '../../kernel/errors.ts';
import { hookUrlFault } from '../../kernel/web-hooks.ts';

/** Who answers a method that devices ask for: a program of others, by HTTP. Plain data. */
export interface RequestHook {
  readonly method: string;
  readonly url: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export const METHOD_PATTERN = /^[A-Za-z0-9:_.-]{1,128}$/;
export const MAX_HOOK_URL_LENGTH = 2_048;
/** All are in memory. */
export const MAX_HOOKS = 1_000;

/** @throws SelsynError `request.invalid` */
export function checkHookUrl(url: string): void {
  const fault = url.length > MAX_HOOK_URL_LENGTH ? `it is longer than ${MAX_HOOK_URL_LENGTH} characters` : hookUrlFault(url);
  if (fault !== undefined) throw new SelsynError('request.invalid', `url: ${fault}`, { details: { field: 'url' } });
}

export function noHook(method: string): SelsynError {
  return new SelsynError('request-hook.not-found', `no hook answers ${method}`, { details: { method } });
}
