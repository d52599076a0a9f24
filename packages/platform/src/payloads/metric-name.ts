import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import { checkName } from '@selsyn/wire/payload/sample-checks.ts';
import { SelsynError } from '../kernel/errors.ts';

/** A name in a definition is held to what names in messages are held to. @throws SelsynError `request.invalid` */
export function checkMetricName(metric: string, field: string): void {
  try {
    checkName(metric, '', PAYLOAD_LIMITS);
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
    throw new SelsynError('request.invalid', error.message, { details: { field } });
  }
}
