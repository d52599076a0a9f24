export const DEVICE_TABS = ['overview', 'shadow', 'commands', 'jobs', 'certificates', 'access', 'history'] as const;
export type DeviceTab = (typeof DEVICE_TABS)[number];
