export const PROVISIONING_TABS = ['attempts', 'quarantine', 'claims', 'templates'] as const;
export type ProvisioningTab = (typeof PROVISIONING_TABS)[number];
