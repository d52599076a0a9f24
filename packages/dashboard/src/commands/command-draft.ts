import { COMMAND_NAME_PATTERN, type CommandDraft } from '../api/commands.ts';
import { typedJson } from '../format/typed-json.ts';

/** What is typed to give a command. */
export interface CommandForm {
  readonly name: string;
  readonly payload: string;
  /** `now`: only while somebody waits. `queue`: also when the device comes later. */
  readonly mode: 'now' | 'queue';
  readonly timeoutSec: string;
  /** How long it is kept for the device, as `1d`. */
  readonly keepFor: string;
  readonly isOneWay: boolean;
}

export const EMPTY_COMMAND: CommandForm = {
  name: '',
  payload: '',
  mode: 'now',
  timeoutSec: '30',
  keepFor: '1d',
  isOneWay: false,
};

export const KEEP_FOR = [
  { value: '10m', label: '10 minutes' },
  { value: '1h', label: '1 hour' },
  { value: '1d', label: '1 day' },
  { value: '7d', label: '7 days' },
] as const;

/** Longer than that the server lets nobody wait. */
const MAX_TIMEOUT_SEC = 100;

export interface CommandFaults {
  readonly name?: string;
  readonly payload?: string;
  readonly timeoutSec?: string;
}

/** What is sent; or what is wrong, field by field. */
export function commandDraft(form: CommandForm): { readonly draft: CommandDraft } | { readonly faults: CommandFaults } {
  const payload = typedJson(form.payload);
  const timeoutSec = Number(form.timeoutSec);
  const faults: CommandFaults = {
    ...(!COMMAND_NAME_PATTERN.test(form.name) && { name: '1 to 128 of A–Z a–z 0–9 : _ . -' }),
    ...('fault' in payload && { payload: payload.fault }),
    ...(form.mode === 'now' &&
      !(timeoutSec > 0 && timeoutSec <= MAX_TIMEOUT_SEC) && { timeoutSec: `1 to ${MAX_TIMEOUT_SEC} seconds` }),
  };
  if ('fault' in payload || Object.keys(faults).length > 0) return { faults };
  const until = form.mode === 'now' ? { timeoutMs: Math.round(timeoutSec * 1000) } : { expiresAt: `now+${form.keepFor}` };
  return {
    draft: {
      name: form.name,
      ...(payload.value !== undefined && { payload: payload.value }),
      ...until,
      ...(form.isOneWay && { oneWay: true }),
    },
  };
}
