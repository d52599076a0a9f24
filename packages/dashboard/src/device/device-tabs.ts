export const DEVICE_TABS = ['overview', 'certificates', 'access', 'history'] as const;
export type DeviceTab = (typeof DEVICE_TABS)[number];
