import { SelsynError } from '../kernel/errors.ts';
import type { ShadowKey } from './shadow-document.ts';

/**
 * Why a request is refused, with AWS's code and text (AWS IoT Core developer guide, "Device Shadow error messages"). `schema` is
 * Selsyn's own: the type of the device does not allow what is desired; a program that knows only AWS sees a 400.
 */
export interface ShadowFault {
  readonly code: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500;
  readonly message: string;
  readonly reason?: 'schema' | undefined;
}

const invalid = (message: string): ShadowFault => ({ code: 400, message });

export const FAULTS = {
  json: invalid('Invalid JSON'),
  noState: invalid('Missing required node: state'),
  state: invalid('State node must be an object'),
  desired: invalid('Desired node must be an object'),
  reported: invalid('Reported node must be an object'),
  version: invalid('Invalid version'),
  clientToken: invalid('Invalid clientToken'),
  node: invalid('State contains an invalid node'),
  unauthorized: { code: 401, message: 'Unauthorized' },
  forbidden: { code: 403, message: 'Forbidden' },
  noThing: { code: 404, message: 'Thing not found' },
  conflict: { code: 409, message: 'Version conflict' },
  tooLarge: { code: 413, message: 'The payload exceeds the maximum size allowed' },
  encoding: { code: 415, message: 'Unsupported documented encoding; supported encoding is UTF-8' },
  throttled: { code: 429, message: 'Too many requests' },
  internal: { code: 500, message: 'Internal service failure' },
} as const satisfies Record<string, ShadowFault>;

export function tooDeep(maximum: number): ShadowFault {
  return invalid(`JSON contains too many levels of nesting; maximum is ${maximum}`);
}

/** A classic shadow has the name of its thing. */
export function noShadow({ device, shadow }: ShadowKey): ShadowFault {
  return { code: 404, message: `No shadow exists with name: ${shadow === '' ? device : shadow}` };
}

function versionWords(version: unknown): string {
  if (typeof version !== 'number') return 'has another version';
  return version === 0 ? 'was never there' : `has version ${version}`;
}

/** For those who call it by the API. */
export function shadowError(
  fault: ShadowFault,
  { device, shadow }: ShadowKey,
  details: Readonly<Record<string, unknown>> = {},
): SelsynError {
  const options = { details: { device, shadow, ...details } };
  if (fault.reason === 'schema') return new SelsynError('shadow.refused', fault.message, options);
  switch (fault.code) {
    case 404:
      return fault === FAULTS.noThing
        ? new SelsynError('device.not-found', `there is no device ${device}`, options)
        : new SelsynError('shadow.not-found', fault.message, options);
    case 409:
      return new SelsynError(
        'shadow.conflict',
        `the shadow ${versionWords(details['version'])}: it is not the version you expected`,
        options,
      );
    case 413:
      return new SelsynError('shadow.too-large', fault.message, options);
    default:
      return new SelsynError('shadow.invalid', fault.message, options);
  }
}
