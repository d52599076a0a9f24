import type { SignedIn } from '../session/who.ts';

/** The pages about telemetry as a whole, each with whom it has something for. */
export const DATA_PAGES = [
  { to: '/telemetry/sql', label: 'SQL', isFor: ({ may }: SignedIn) => may('telemetry:read') },
  { to: '/telemetry/storage', label: 'Storage', isFor: ({ may }: SignedIn) => may('storage:read') },
  { to: '/telemetry/forwarders', label: 'Forwarders', isFor: ({ mayEverywhere }: SignedIn) => mayEverywhere('forwarders:read') },
  { to: '/telemetry/decoders', label: 'Decoders', isFor: ({ may }: SignedIn) => may('types:read') },
  { to: '/telemetry/cardinality', label: 'Cardinality', isFor: ({ mayEverywhere }: SignedIn) => mayEverywhere('telemetry:read') },
] as const;
