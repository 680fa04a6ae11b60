use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn name(text: &str) -> SessionName {
    SessionName::new(text).unwrap()
}

fn sessions(folder: &tempfile::TempDir) -> Sessions {
    Sessions::open(folder.path(), 3).unwrap()
}

#[test]
fn the_default_session_is_made_on_first_use_and_no_other_is() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = sessions(&folder);
    let session = sessions.enter("ann", None).unwrap();
    assert_eq!(
        session.workspace(),
        folder.path().join("sessions/ann/default/workspace")
    );
    assert!(session.workspace().is_dir() && session.tmp().is_dir());
    assert!(matches!(
        sessions.enter("ann", Some(&name("x"))),
        Err(SessionError::Unknown(_))
    ));
    assert!(!folder.path().join("sessions/ann/x").exists());
}

#[test]
fn another_agents_session_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = sessions(&folder);
    assert!(sessions.create("ann", &name("x")).unwrap());
    assert!(!sessions.create("ann", &name("x")).unwrap());
    assert!(sessions.enter("ann", Some(&name("x"))).is_ok());
    assert!(matches!(
        sessions.enter("bob", Some(&name("x"))),
        Err(SessionError::Unknown(_))
    ));
    assert!(matches!(
        sessions.delete("bob", &name("x")),
        Err(SessionError::Unknown(_))
    ));
    assert!(sessions.list("bob").unwrap().is_empty());
}

#[tokio::test]
async fn state_and_files_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = sessions(&folder);
    before.create("ann", &name("x")).unwrap();
    let session = before.enter("ann", Some(&name("x"))).unwrap();
    session
        .commit_state(b"cwd=/workspace/a".to_vec())
        .await
        .unwrap();
    std::fs::write(session.workspace().join("f"), "1").unwrap();
    drop((session, before));
    let session = sessions(&folder).enter("ann", Some(&name("x"))).unwrap();
    assert_eq!(&*session.state(), b"cwd=/workspace/a");
    assert!(session.workspace().join("f").exists());
}

#[tokio::test]
async fn a_state_past_the_limit_leaves_the_previous_one() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = sessions(&folder);
    let session = sessions.enter("ann", None).unwrap();
    session.commit_state(b"small".to_vec()).await.unwrap();
    assert!(session.commit_state(vec![0; (4 << 20) + 1]).await.is_err());
    assert_eq!(&*session.state(), b"small");
}

#[test]
fn a_session_in_use_is_not_deleted_and_a_deleted_one_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = sessions(&folder);
    sessions.create("ann", &name("x")).unwrap();
    let session = sessions.enter("ann", Some(&name("x"))).unwrap();
    let locked = session.workspace().join("locked/inner");
    std::fs::create_dir_all(&locked).unwrap();
    let none = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(session.workspace().join("locked"), none).unwrap();
    assert!(matches!(
        sessions.delete("ann", &name("x")),
        Err(SessionError::Busy(_))
    ));
    drop(session);
    sessions.delete("ann", &name("x")).unwrap();
    assert!(!folder.path().join("sessions/ann/x").exists());
    assert_eq!(
        std::fs::read_dir(folder.path().join("trash"))
            .unwrap()
            .count(),
        0
    );
    assert!(matches!(
        sessions.enter("ann", Some(&name("x"))),
        Err(SessionError::Unknown(_))
    ));
}

#[test]
fn a_tree_deeper_than_any_path_is_deleted_and_its_links_are_not_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("kept"), "").unwrap();
    let mode = || {
        let about = std::fs::metadata(outside.path()).unwrap();
        about.permissions().mode()
    };
    let private = std::fs::Permissions::from_mode(0o750);
    std::fs::set_permissions(outside.path(), private).unwrap();
    let before = mode();
    let sessions = sessions(&folder);
    sessions.create("ann", &name("x")).unwrap();
    let session = sessions.enter("ann", Some(&name("x"))).unwrap();
    symlink(outside.path(), session.workspace().join("link")).unwrap();
    let mut deepest = std::fs::File::open(session.workspace()).unwrap();
    for _ in 0..5_000 {
        let private = rustix::fs::Mode::RWXU;
        rustix::fs::mkdirat(&deepest, "d", private).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY;
        deepest = rustix::fs::openat(&deepest, "d", flags, private)
            .unwrap()
            .into();
    }
    drop(session);
    sessions.delete("ann", &name("x")).unwrap();
    let mut left = std::fs::read_dir(folder.path().join("trash")).unwrap();
    assert!(left.next().is_none());
    assert!(outside.path().join("kept").exists());
    assert_eq!(mode(), before);
}

#[test]
fn an_agent_has_a_limited_number_of_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = sessions(&folder);
    for number in 0..3 {
        assert!(
            sessions
                .create("ann", &name(&format!("s{number}")))
                .unwrap()
        );
    }
    assert!(matches!(
        sessions.create("ann", &name("s3")),
        Err(SessionError::Full(3))
    ));
    assert!(sessions.create("bob", &name("s3")).unwrap());
    let listed: Vec<_> = sessions
        .list("ann")
        .unwrap()
        .into_iter()
        .map(|info| info.name)
        .collect();
    assert_eq!(listed, ["s0", "s1", "s2"]);
}

#[test]
fn idle_sessions_expire_and_used_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = sessions(&folder);
    sessions.create("ann", &name("idle")).unwrap();
    sessions.create("ann", &name("busy")).unwrap();
    let held = sessions.enter("ann", Some(&name("busy"))).unwrap();
    let now = SystemTime::now();
    assert_eq!(sessions.sweep(DAY, now + DAY / 2).unwrap(), 0);
    assert_eq!(sessions.sweep(DAY, now + DAY * 2).unwrap(), 1);
    assert!(matches!(
        sessions.enter("ann", Some(&name("idle"))),
        Err(SessionError::Unknown(_))
    ));
    drop(held);
    assert!(sessions.enter("ann", Some(&name("busy"))).is_ok());
}

#[test]
fn a_passing_session_answers_to_every_name_and_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::passing(folder.path().to_owned(), folder.path().join("tmp"));
    let session = sessions.enter("ann", None).unwrap();
    assert!(!session.keeps_state());
    assert_eq!(session.workspace(), folder.path());
}
