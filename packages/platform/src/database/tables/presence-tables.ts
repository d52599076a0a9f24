import type { Generated } from 'kysely';

/** Of whom it was told that they are gone. */
export interface PresenceTables {
  readonly presence_alert: PresenceAlertTable;
}

export interface PresenceAlertTable {
  readonly id: Generated<number>;
  readonly device_id: string;
  readonly kind: 'offline' | 'flapping';
  /** When it went. */
  readonly since_ms: number;
  readonly reason: string | null;
  /** How often it went within the window. */
  readonly losses: number;
  readonly raised_at_ms: number;
  /** Null while it is open. */
  readonly resolved_at_ms: number | null;
}
