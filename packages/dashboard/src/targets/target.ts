/** What many devices are named by. */
export const TARGET_KINDS = {
  group: { label: 'Group', example: '/acme/building-42', note: 'Devices in it and everywhere below' },
  fleet: { label: 'Fleet', example: 'north', note: 'Devices that its filter holds for' },
  type: { label: 'Type', example: 'boiler', note: 'All devices of the type' },
  device: { label: 'Device', example: 'sensor123', note: 'Ids, with spaces between' },
  filter: { label: 'Filter', example: 'type = "boiler" and connected = true', note: 'Text of the filter language' },
} as const;
export type TargetKind = keyof typeof TARGET_KINDS;

export interface Target {
  readonly kind: TargetKind;
  readonly value: string;
}

/** `group:/acme`; several where devices are named one by one. */
export function targetTexts({ kind, value }: Target): readonly string[] {
  const text = value.trim();
  if (text === '') return [];
  if (kind !== 'device') return [`${kind}:${text}`];
  return deviceIds(text).map((id) => `device:${id}`);
}

export function deviceIds(text: string): readonly string[] {
  return [...new Set(text.split(/[\s,]+/).filter((id) => id !== ''))];
}

/** `group:/acme` as `group /acme`. */
export function targetWords(target: string): string {
  return target.replace(':', ' ');
}
