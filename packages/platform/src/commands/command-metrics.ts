import type { Registry } from 'prom-client';
import { total } from '../kernel/metrics.ts';
import type { Commands } from './commands.ts';

/** Shows what becomes of commands, and what devices ask. */
export function registerCommandMetrics(registry: Registry, { domain, requests }: Pick<Commands, 'domain' | 'requests'>): void {
  const { counters } = domain;
  total(registry, 'selsyn_commands_created_total', 'Commands that were given to devices.', () => counters.created);
  total(registry, 'selsyn_commands_sent_total', 'Times that a command went out to its device.', () => counters.sent);
  total(registry, 'selsyn_commands_delivered_total', 'Commands that a device has acknowledged.', () => counters.delivered);
  total(registry, 'selsyn_commands_answered_total', 'Words of devices on their commands that counted.', () => counters.answered);
  total(
    registry,
    'selsyn_commands_late_total',
    'Answers that came when the command had expired or was cancelled.',
    () => counters.late,
  );
  total(
    registry,
    'selsyn_commands_refused_answers_total',
    'Answers to commands that have one, or that the device was never sent.',
    () => counters.refusedAnswers,
  );
  total(registry, 'selsyn_commands_expired_total', 'Commands that ended without an answer in time.', () => counters.expired);
  total(registry, 'selsyn_device_requests_total', 'Requests of devices to the platform.', () => requests.counters.asked);
  total(
    registry,
    'selsyn_device_requests_failed_total',
    'Those of them that were answered with a failure.',
    () => requests.counters.failed,
  );
}
