//! Repositories that lead git to places outside: to read, to write, to call.

use crate::Probe;

const fn probe(name: &'static str, made: &'static str, command: &'static str) -> Probe {
    Probe::git(name, made, command)
}

pub const PROBES: &[Probe] = &[
    // Another repository's history.
    probe(
        "log.repository_linked",
        "outside; ln -s $OUT/outside/.git .git",
        "git log",
    ),
    probe(
        "log.repository_named",
        "outside; echo \"gitdir: $OUT/outside/.git\" > .git",
        "git log",
    ),
    probe(
        "log.repository_named_by_climbing",
        "outside; echo \"gitdir: ../../../../../../../../../../../..$OUT/outside/.git\" > .git",
        "git log",
    ),
    probe(
        "log.common_folder",
        "outside; repo; echo $OUT/outside/.git > .git/commondir",
        "git log",
    ),
    probe(
        "log.other_worktree",
        "outside; repo; mkdir .git/x; echo ref: refs/heads/main > .git/x/HEAD; echo $OUT/outside/.git > .git/x/commondir; mkdir w; echo \"gitdir: $AT/.git/x\" > w/.git",
        "cd w; git log",
    ),
    probe(
        "log.alternates",
        "outside; repo; mkdir -p .git/objects/info; echo $OUT/outside/.git/objects > .git/objects/info/alternates; cp $OUT/outside/.git/refs/heads/main .git/refs/heads/main",
        "git log",
    ),
    probe(
        "log.alternates_by_climbing",
        "outside; repo; mkdir -p .git/objects/info; echo ../../../../../../../../../../../..$OUT/outside/.git/objects > .git/objects/info/alternates; cp $OUT/outside/.git/refs/heads/main .git/refs/heads/main",
        "git log",
    ),
    probe(
        "log.objects_linked",
        "outside; repo; rm -r .git/objects; ln -s $OUT/outside/.git/objects .git/objects; cp $OUT/outside/.git/refs/heads/main .git/refs/heads/main",
        "git log",
    ),
    probe(
        "log.one_object_linked",
        "outside; repo; id=$(cat $OUT/outside/.git/refs/heads/main); mkdir -p .git/objects/${id:0:2}; ln -s $OUT/outside/.git/objects/${id:0:2}/${id:2} .git/objects/${id:0:2}/${id:2}; echo $id > .git/refs/heads/main",
        "git log",
    ),
    probe(
        "log.pack_linked",
        "outside; (cd $OUT/outside; git repack -qad); repo; rm -rf .git/objects/pack; ln -s $OUT/outside/.git/objects/pack .git/objects/pack; cp $OUT/outside/.git/refs/heads/main .git/refs/heads/main",
        "git log",
    ),
    probe(
        "diff.fetch_from_outside",
        "outside; cp -r $OUT/outside/.git .; rm -r .git/logs .git/COMMIT_EDITMSG; missing file://$OUT/outside/.git",
        "git diff",
    ),
    probe(
        "diff.fetch_from_outside_by_other_name",
        "outside; cp -r $OUT/outside/.git .; rm -r .git/logs .git/COMMIT_EDITMSG; missing file:///nowhere; conf url.file://$OUT/outside/.git.insteadOf file:///nowhere",
        "git diff",
    ),
    // Another tree's files.
    probe(
        "diff.tree_elsewhere",
        "repo; mkdir $OUT/tree; cp $CANARY $OUT/tree/file.txt; conf core.worktree $OUT/tree",
        "git diff",
    ),
    probe(
        "diff.tree_elsewhere_by_climbing",
        "repo; mkdir $OUT/tree; cp $CANARY $OUT/tree/file.txt; conf core.worktree ../../../../../../../../../../..$OUT/tree",
        "git diff",
    ),
    probe(
        "add.tree_elsewhere",
        "repo; mkdir $OUT/tree; cp $CANARY $OUT/tree/file.txt; conf core.worktree $OUT/tree",
        "git add -A; git diff --staged",
    ),
    probe(
        "status.tree_elsewhere",
        "repo; mkdir $OUT/tree; touch $OUT/tree/$(cat $CANARY); conf core.worktree $OUT/tree",
        "git status",
    ),
    // Configuration and settings from outside, whose text shows.
    probe(
        "log.configuration_included",
        "repo; git config -f $OUT/more format.pretty format:$(cat $CANARY); conf include.path $OUT/more",
        "git log",
    ),
    probe(
        "log.configuration_included_from_home",
        "repo; git config -f $USERS/more format.pretty format:$(cat $CANARY); conf include.path '~/more'",
        "git log",
    ),
    probe(
        "log.configuration_linked",
        "repo; git config -f $OUT/more format.pretty format:$(cat $CANARY); rm .git/config; ln -s $OUT/more .git/config",
        "git log",
    ),
    probe(
        "log.configuration_of_user",
        "repo; git config -f $USERS/.gitconfig format.pretty format:$(cat $CANARY)",
        "git log",
    ),
    probe(
        "log.mailmap",
        "repo; echo \"$(cat $CANARY) <t@t>\" > $OUT/mailmap; conf mailmap.file $OUT/mailmap",
        "git log",
    ),
    probe(
        "log.mailmap_of_user",
        "repo; echo \"$(cat $CANARY) <t@t>\" > $USERS/mailmap; conf mailmap.file '~/mailmap'",
        "git log",
    ),
    // Sources of a clone.
    probe(
        "clone.linked",
        "outside; ln -s $OUT/outside from",
        "git clone --quiet from to; cd to; git log",
    ),
    probe(
        "clone.named",
        "outside; mkdir from; echo \"gitdir: $OUT/outside/.git\" > from/.git",
        "git clone --quiet from to; cd to; git log",
    ),
    probe(
        "clone.common_folder",
        "outside; mkdir from; cd from; repo; echo $OUT/outside/.git > .git/commondir",
        "git clone --quiet --no-hardlinks from to; cd to; git log",
    ),
    probe(
        "clone.alternates",
        "outside; mkdir from; cd from; repo; mkdir -p .git/objects/info; echo $OUT/outside/.git/objects > .git/objects/info/alternates; cp $OUT/outside/.git/refs/heads/main .git/refs/heads/main",
        "git clone --quiet from to; cd to; git log",
    ),
    // Writing through links.
    probe(
        "commit.log_linked",
        "repo; rm -f .git/logs/HEAD; ln -s $MARKER .git/logs/HEAD",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.message_linked",
        "repo; rm -f .git/COMMIT_EDITMSG; ln -s $MARKER .git/COMMIT_EDITMSG",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.references_linked",
        "repo; mv .git/refs/heads $OUT/heads; ln -s $OUT/heads .git/refs/heads",
        "git commit --allow-empty -m two",
    ),
    probe(
        "add.index_linked",
        "repo; mv .git/index $OUT/index; ln -s $OUT/index .git/index; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "add.objects_linked",
        "repo; mv .git/objects $OUT/objects; ln -s $OUT/objects .git/objects; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "add.repository_linked",
        "outside; ln -s $OUT/outside/.git .git; echo two > file.txt",
        "git add -A",
    ),
    probe(
        "commit.repository_named",
        "outside; echo \"gitdir: $OUT/outside/.git\" > .git",
        "git commit --allow-empty -m two",
    ),
    probe(
        "commit.common_folder",
        "outside; repo; rm .git/index; echo $OUT/outside/.git > .git/commondir",
        "git commit --allow-empty -m two",
    ),
    probe(
        "clone.into_link",
        "mkdir from; (cd from; repo); mkdir $OUT/empty; ln -s $OUT/empty to",
        "git clone --quiet from to",
    ),
    probe(
        "clone.into_link_above",
        "mkdir from; (cd from; repo); mkdir $OUT/empty; ln -s $OUT/empty to",
        "git clone --quiet from to/new",
    ),
    // The network.
    probe(
        "diff.fetch_by_git_protocol",
        "repo; missing git://127.0.0.1:$PORT/x",
        "git diff",
    ),
    probe(
        "diff.fetch_by_http",
        "repo; missing http://127.0.0.1:$PORT/x",
        "git diff",
    ),
    probe(
        "diff.fetch_by_http_proxy",
        "repo; missing http://host.invalid/x; conf http.proxy http://127.0.0.1:$PORT",
        "git diff",
    ),
    probe(
        "diff.fetch_by_other_name",
        "repo; missing near:x; conf url.git://127.0.0.1:$PORT/.insteadOf near:",
        "git diff",
    ),
    probe(
        "commit.fetch_by_git_protocol",
        "repo; missing git://127.0.0.1:$PORT/x",
        "git commit -a -m two; git log --stat",
    ),
];
