import { SHADOW_NAME_PATTERN } from '../api/shadows.ts';
import type { ShadowUpdateDraft } from '../api/shadow-updates.ts';
import { typedObject } from '../format/typed-json.ts';
import { deviceIds, targetTexts, type Target } from '../targets/target.ts';

/** What is typed to set something for many devices. */
export interface BulkForm {
  readonly target: Target;
  /** Empty: the classic one. */
  readonly shadow: string;
  readonly desired: string;
  readonly ratePerSec: string;
}

export type BulkFaults = Partial<Record<keyof BulkForm, string>>;

export const EMPTY_BULK: BulkForm = { target: { kind: 'group', value: '' }, shadow: '', desired: '', ratePerSec: '1000' };

const MAX_PER_SEC = 10_000;
const MAX_NAMED_DEVICES = 10_000;

/** What is sent; or what is wrong, field by field. */
export function bulkDraft(form: BulkForm): { readonly draft: ShadowUpdateDraft } | { readonly faults: BulkFaults } {
  const desired = typedObject(form.desired);
  const named = form.target.kind === 'device' ? deviceIds(form.target.value) : undefined;
  const [text] = targetTexts(form.target);
  const rate = Number(form.ratePerSec);
  const faults: BulkFaults = {
    ...(text === undefined && { target: 'Which devices?' }),
    ...(named !== undefined && named.length > MAX_NAMED_DEVICES && { target: 'At most 10,000 by their ids' }),
    ...(form.shadow !== '' && !SHADOW_NAME_PATTERN.test(form.shadow) && { shadow: '1 to 64 of $ A–Z a–z 0–9 : _ -' }),
    ...('fault' in desired && { desired: desired.fault }),
    ...('value' in desired && Object.keys(desired.value).length === 0 && { desired: 'What is to be set, as {"mode": "eco"}' }),
    ...(!(Number.isInteger(rate) && rate >= 1 && rate <= MAX_PER_SEC) && { ratePerSec: '1 to 10,000' }),
  };
  if ('fault' in desired || text === undefined || Object.keys(faults).length > 0) return { faults };
  return {
    draft: {
      target: named ?? text,
      ...(form.shadow !== '' && { shadow: form.shadow }),
      desired: desired.value,
      ratePerSec: rate,
    },
  };
}
