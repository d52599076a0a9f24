import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Icon } from '../ui/icons.tsx';
import { GroupBranch } from './group-branch.tsx';
import styles from './group-tree.module.css';

interface GroupTreeProps {
  /** Absent: all groups. */
  readonly selected: string | undefined;
  readonly onSelect: (group: string | undefined) => void;
}

/** The groups that whoever is signed in may see; each level is fetched when it is opened. */
export function GroupTree({ selected, onSelect }: GroupTreeProps) {
  const [open, { toggle }] = useDisclosure(false);
  return (
    <nav className={styles.tree} aria-label="Groups" data-open={open}>
      <Button
        className={styles.toggle}
        variant="default"
        fullWidth
        justify="flex-start"
        aria-expanded={open}
        leftSection={<Icon name="folder" />}
        onClick={toggle}
      >
        {selected ?? 'All groups'}
      </Button>
      <div className={styles.branches}>
        <button
          type="button"
          className={styles.all}
          aria-current={selected === undefined ? 'true' : undefined}
          onClick={() => onSelect(undefined)}
        >
          All groups
        </button>
        <GroupBranch parent="/" selected={selected} onSelect={onSelect} />
      </div>
    </nav>
  );
}
