import { PresenceAlerts } from '../presence/presence-alerts.ts';
import type { Config } from './config-schema.ts';

/** Alerts of devices that are gone, as the configuration has them. */
export function openPresence({
  config: { presence },
  ...dependencies
}: Omit<ConstructorParameters<typeof PresenceAlerts>[0], 'options'> & { readonly config: Config }): PresenceAlerts {
  return new PresenceAlerts({
    ...dependencies,
    options: {
      offlineAfterMs: presence.offlineAfterSec * 1_000,
      flapping: { losses: presence.flappingLosses, windowMs: presence.flappingWindowSec * 1_000 },
    },
  });
}
