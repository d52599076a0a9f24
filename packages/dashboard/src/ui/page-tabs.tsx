import styles from './page-tabs.module.css';

interface PageTabsProps<K extends string> {
  readonly label: string;
  readonly tabs: readonly { readonly key: K; readonly label: string }[];
  readonly active: K;
  readonly onSelect: (key: K) => void;
}

/** The parts of a page, one of which is shown. */
export function PageTabs<K extends string>({ label, tabs, active, onSelect }: PageTabsProps<K>) {
  return (
    <nav className={styles.tabs} aria-label={label}>
      {tabs.map((tab) => (
        <button
          key={tab.key}
          type="button"
          className={styles.tab}
          aria-current={tab.key === active ? 'page' : undefined}
          onClick={() => onSelect(tab.key)}
        >
          {tab.label}
        </button>
      ))}
    </nav>
  );
}
