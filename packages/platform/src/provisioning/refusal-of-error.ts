import { isSelsynError } from '../kernel/errors.ts';
import { PayloadError } from './provisioning-payload.ts';
import { type Refusal, RefusedError, refusal } from './refusal.ts';

/** What an error is to the one who wants to enrol; undefined: a fault of the server. */
export function refusalOfError(error: unknown): Refusal | undefined {
  if (error instanceof RefusedError) return error.refusal;
  if (error instanceof PayloadError) return refusal('parameters-invalid', error.message);
  if (isSelsynError(error, 'csr.invalid', 'csr.weak-key')) return refusal('csr-invalid', error.message);
  if (isSelsynError(error, 'signer.busy', 'signer.unavailable', 'thread.timeout', 'thread.gone'))
    return refusal('busy', error.message);
  return undefined;
}
