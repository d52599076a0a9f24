/**
 * Where devices of ThingsBoard send telemetry as JSON: each device to the same topic, since it is known by its token
 * (thingsboard.io/docs/reference/mqtt-api, and the short topics `v2/t` of the same page).
 */
export const THINGSBOARD_TELEMETRY: ReadonlySet<string> = new Set(['v1/devices/me/telemetry', 'v2/t', 'v2/t/j']);
