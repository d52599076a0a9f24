import { SelsynError } from '../kernel/errors.ts';
import { hashSecret } from '../kernel/secret.ts';
import {
  COMMAND_NAME_PATTERN,
  DEFAULT_LIFETIME_MS,
  KEY_PATTERN,
  MAX_LIFETIME_MS,
  MAX_OPEN,
  MAX_PAYLOAD_BYTES,
  type CommandDraft,
  type CommandRecord,
} from './command.ts';

/** By whatever door it came. @throws SelsynError `request.invalid`, `request.too-large` */
export function checkDraft({ name, payload, sendWithinMs, idempotencyKey }: CommandDraft): void {
  if (!COMMAND_NAME_PATTERN.test(name)) throw invalid('name', 'a name is 1 to 128 of A-Z a-z 0-9 : _ . -');
  if (payload !== undefined && Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES)
    throw new SelsynError('request.too-large', `a payload has at most ${MAX_PAYLOAD_BYTES} bytes of JSON`);
  if (sendWithinMs !== undefined && !(sendWithinMs > 0)) throw invalid('timeoutMs', 'it must be more than 0');
  if (idempotencyKey !== undefined && !KEY_PATTERN.test(idempotencyKey))
    throw invalid('idempotencyKey', 'a key is 1 to 128 printable characters without blanks');
}

/** Of a draft that was checked. @throws SelsynError `request.invalid` */
export function recordOfDraft(draft: CommandDraft, id: string, number: number, nowMs: number): CommandRecord {
  const expiresAtMs = draft.expiresAtMs ?? nowMs + DEFAULT_LIFETIME_MS;
  if (expiresAtMs <= nowMs) throw invalid('expiresAt', 'the command would have expired already');
  if (expiresAtMs > nowMs + MAX_LIFETIME_MS) throw invalid('expiresAt', 'a command lives for a year at most');
  return {
    id,
    number,
    device: draft.device,
    name: draft.name,
    oneWay: draft.oneWay ?? false,
    state: 'queued',
    sends: 0,
    createdAtMs: nowMs,
    sendUntilMs: Math.min(expiresAtMs, nowMs + (draft.sendWithinMs ?? Infinity)),
    expiresAtMs,
    history: [{ state: 'queued', atMs: nowMs }],
  };
}

/** Tells whether two drafts with one idempotency key are the same. */
export function hashOfDraft(draft: CommandDraft): string {
  const { device, name, payload = null, oneWay = false, sendWithinMs = null, expiresAtMs = null } = draft;
  return hashSecret(JSON.stringify([device, name, payload, oneWay, sendWithinMs, draft.expiresAsked ?? expiresAtMs]));
}

export function tooManyOpen(device: string): SelsynError {
  return new SelsynError(
    'command.queue-full',
    `${MAX_OPEN} commands of ${device} are not finished: wait for some, or cancel them`,
    {
      details: { device, limit: MAX_OPEN },
      retryable: true,
    },
  );
}

export function keyUsed(device: string, key: string, command: string): SelsynError {
  return new SelsynError('command.key-used', `the idempotency key ${key} was given to another command of ${device}`, {
    details: { device, command },
  });
}

export function alreadyFinished({ device, id, state }: CommandRecord): SelsynError {
  return new SelsynError('command.finished', `the command ${id} is ${state} already`, {
    details: { device, command: id, state },
  });
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field } });
}
